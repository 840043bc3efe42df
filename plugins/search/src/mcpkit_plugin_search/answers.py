"""Answers of the tools, as models and hosts read them."""

from datetime import datetime

from pydantic import BaseModel, Field

from .backends import WebResult


class Document(BaseModel):
    """A document that matches."""

    uri: str = Field(description="Resource to read for the whole text")
    title: str = Field(description="Title of the document")
    snippet: str = Field(description="The best place in it, matches between **")
    score: float = Field(description="BM25 relevance, higher is better")
    modified: datetime = Field(description="When the file was changed, in UTC")


class Documents(BaseModel):
    """Documents that match, the best first."""

    documents: list[Document] = Field(description="The best first; empty when nothing matches")
    indexing: bool = Field(
        description="Whether new or changed files are still being indexed: search again soon"
    )


class WebResults(BaseModel):
    """Pages that were found, the best first."""

    results: list[WebResult] = Field(description="The best first; empty when nothing was found")
    source: str = Field(description="Who answered")


class IndexChanges(BaseModel):
    """Results of indexing."""

    added: int = Field(description="Documents read anew")
    removed: int = Field(description="Documents that are gone")
    unchanged: int = Field(description="Documents that were up to date")
    skipped: int = Field(description="Files that are not indexed; search_status says why")


class SkippedDocument(BaseModel):
    """A file that is not indexed."""

    path: str = Field(description="Folder's label and place in there")
    reason: str = Field(description="Why it is not indexed")


class Status(BaseModel):
    """State of documents and web search."""

    folders: list[str] = Field(description="Labels of the folders")
    documents: int = Field(description="Documents in the index")
    indexing: bool = Field(description="Whether indexing goes on")
    indexed_at: datetime | None = Field(description="When the index was last up to date, in UTC")
    skipped: int = Field(description="Number of files that are not indexed")
    skipped_files: list[SkippedDocument] = Field(description="The first of them, with the reason")
    problem: str | None = Field(description="Why documents cannot be searched; null when they can")
    web: str | None = Field(description="Who answers web searches; null when nobody does")
