"""Draw the ratios of every table: JSON on standard input, the path of an SVG as argument."""

import json
import sys

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "mcpkit", "svg.fonttype": "none"}

import matplotlib.pyplot as plt  # noqa: E402  # after the backend was chosen

tables = json.load(sys.stdin)
heights = [len(table["bars"]) + 1.5 for table in tables]
figure, axes = plt.subplots(
    len(tables),
    1,
    figsize=(9, 0.28 * sum(heights)),
    squeeze=False,
    gridspec_kw={"height_ratios": heights},
)
for axis, table in zip(axes[:, 0], tables, strict=True):
    names = [name for name, _ in table["bars"]]
    ratios = [ratio for _, ratio in table["bars"]]
    colours = ["#2a6f97" if name.startswith("mcpkit") else "#b8b8b8" for name in names]
    axis.barh(range(len(names)), ratios, color=colours)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.axvline(1, color="#444444", linewidth=0.8)
    axis.invert_yaxis()
    axis.set_title(table["title"], fontsize=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    for number, ratio in enumerate(ratios):
        axis.text(ratio, number, f" {ratio:.2f}", va="center", fontsize=8)
figure.tight_layout()
figure.savefig(sys.argv[1], metadata={"Date": None})
