"""The metrics of an evaluation as a table for people."""

from __future__ import annotations

from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.evaluation import fid


def text(metrics: dict) -> str:
    """The metrics for people, KID times 100 as in the paper."""
    about = metrics["about"]
    size = f", --size {about['size']}" if "size" in about else ""
    lines = [
        f"Features: {about['features']}",
        about["comparable"],
        f"Images: {about['pictures']}{size}",
        "KID x 100: mean +- standard deviation over subsets; paper: its own estimate, see docs",
        f"{'':5} {'KID to target':>16} {'KID to source':>16} {'paper':>8} {'FID':>8}  images",
    ]
    directions = [name for name in DIRECTIONS if name in metrics]
    for direction in directions:
        row = metrics[direction]
        texts = (kid_text(row[name]) for name in ("kid_target", "kid_source"))
        counts = " / ".join(str(count) for count in row["pictures"].values())
        lines.append(
            f"{direction:5} {' '.join(f'{text:>16}' for text in texts)} "
            f"{100 * row['paper']['figure']:8.4g} {row['fid']:8.4g}  {counts}, subsets of "
            f"{row['subset_size']}"
        )
    fewest = min(count for name in directions for count in metrics[name]["pictures"].values())
    if fewest < fid.ENOUGH:
        lines.append(
            f"FID of {fewest} images is too high by an amount that depends on their number: "
            f"compare only with FID of as many images."
        )
    return "\n".join(lines)


def kid_text(kid: dict) -> str:
    """A KID of the metrics, times 100 as in the paper, with its spread."""
    return f"{100 * kid['mean']:.4g} +- {100 * kid['spread']:.2g}"
