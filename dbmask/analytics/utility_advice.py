"""What utility results say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["field_retention", "information_loss", "loss_level", "statistical_fidelity"]


def _names(fields: Sequence[str]) -> str:
    return ", ".join(fields)


def field_retention(score: float, per_field: Mapping[str, Mapping[str, Any]], total: int) -> list[str]:
    """Advice on field retention."""
    shown = f"{100 * score:.1f}%"
    if score >= 0.8:
        texts = [
            f"Global retention rate is {shown} — the anonymised dataset preserves the vast majority of its original values."
        ]
    elif score >= 0.5:
        texts = [
            f"Global retention rate is {shown} — a moderate share of the original values is preserved. "
            "Check the most modified fields against what the data is used for."
        ]
    else:
        texts = [
            f"Global retention rate is only {shown}. The anonymised dataset has lost substantial information — consider "
            "relaxing anonymization rules for fields not strictly required to be masked."
        ]
    dropped = [n for n, f in per_field.items() if f["dropped"] == total]
    modified = [n for n, f in per_field.items() if f["pct_modified"] > 50]
    same = [n for n, f in per_field.items() if f["unchanged"] == total]
    if dropped:
        texts.append(
            "The following field(s) were entirely removed by the drop strategy and are no longer available: "
            f"{_names(dropped)}. Confirm these fields are not needed for analysis."
        )
    if modified:
        texts.append(
            f"Field(s) {_names(modified)} have more than 50% of their values modified. "
            "Statistical analyses on these fields may yield unreliable results."
        )
    if same:
        texts.append(
            f"Field(s) {_names(same)} were left entirely unchanged. "
            "Verify these fields do not constitute quasi-identifiers that could enable re-identification."
        )
    return texts


def statistical_fidelity(score: float, low: Sequence[str], per_field: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Advice on statistical fidelity."""
    shown = f"{100 * score:.1f}%"
    if score >= 0.8:
        texts = [
            f"Global statistical fidelity is {shown} — the anonymised dataset closely mirrors the statistical properties "
            "of the original. Aggregate analyses should remain reliable."
        ]
    elif score >= 0.6:
        texts = [
            f"Global statistical fidelity is {shown} — the main statistical properties are preserved. "
            "Check aggregates of the lowest fields before relying on them."
        ]
    else:
        texts = [
            f"Global statistical fidelity is only {shown}. Aggregates of the anonymised dataset differ substantially "
            "from those of the original — consider lighter strategies on the fields that analyses need."
        ]
    if low:
        texts.append(f"Field(s) {_names(low)} fall below the fidelity threshold. Avoid aggregate analyses on them.")
    torn = [n for n, f in per_field.items() if f.get("spearman_rho", 1.0) < 0.5]
    if torn:
        texts.append(
            f"Field(s) {_names(torn)} show low Spearman rank correlation (ρ < 0.5). "
            "The ordering of values is not preserved — ranking-based analyses will be affected."
        )
    return texts


def loss_level(loss: float) -> str:
    """Low up to 0.2, high above 0.5."""
    if loss > 0.5:
        return "high"
    return "moderate" if loss > 0.2 else "low"


def information_loss(loss: float, details: Sequence[Mapping[str, Any]], threshold: float) -> list[str]:
    """Advice on information loss."""
    shown = f"{100 * loss:.1f}%"
    level = loss_level(loss)
    if level == "low":
        texts = [
            f"Global ILI is {shown} — minimal information loss. The anonymised dataset retains strong analytical utility."
        ]
    elif level == "moderate":
        texts = [f"Global ILI is {shown} — moderate information loss. Most analyses stay possible with some care."]
    else:
        texts = [
            f"Global ILI is {shown} — significant information loss. The anonymised dataset has limited analytical utility. "
            "Consider using lighter anonymization strategies (noise, generalization) instead of full redaction or "
            "suppression on key fields."
        ]
    high = [d["field"] for d in details if d["ili"] > 0.5]
    gone = [d["field"] for d in details if d["n_dropped"] > d["n_unchanged"] + d["n_modified"]]
    if high:
        texts.append(
            f"Field(s) with ILI > 50%: {_names(high)}. These fields have lost more than half their original information. "
            "Avoid drawing conclusions from statistical analyses on these fields."
        )
    else:
        texts.append(
            f"All fields meet the acceptable utility threshold (score ≥ {threshold:.0%}). "
            "The anonymised dataset is suitable for the intended analytical purpose."
        )
    if gone:
        texts.append(
            f"Field(s) {_names(gone)} have more dropped than retained values. If these fields are needed for analysis, "
            "replace the 'drop' strategy with 'redact' or 'generalize'."
        )
    return texts
