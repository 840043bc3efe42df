"""The peers: each a server of three tools, as its documentation would write it."""
