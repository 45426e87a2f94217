"""What risk results say in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["k_anonymity", "l_diversity", "t_closeness"]


def k_anonymity(s: Mapping[str, Any]) -> list[str]:
    """Advice on k-anonymity, from its summary."""
    k, k_min = s["k_threshold"], s["k_min"]
    if s["passed"]:
        return [
            f"The dataset satisfies {k}-anonymity (k_min = {k_min}). "
            f"Every record is indistinguishable from at least {k_min - 1} other(s)."
        ]
    texts = [
        f"The dataset does NOT satisfy {k}-anonymity (k_min = {k_min}). Re-identification is possible for "
        f"{s['at_risk_records']} record(s) ({s['pct_at_risk']}% of the dataset).",
        "Apply stronger generalization to quasi-identifiers in small equivalence classes, "
        "or suppress records that cannot be grouped.",
    ]
    if k_min == 1:
        texts.append(
            "Singleton equivalence classes detected (k=1): these records are directly re-identifiable. "
            "Consider removing or heavily generalizing their quasi-identifier values."
        )
    return texts


def l_diversity(s: Mapping[str, Any], name: str) -> list[str]:
    """Advice on l-diversity, from its summary."""
    wanted, l_min = s["l_threshold"], s["l_min"]
    if s["passed"]:
        texts = [
            f"The dataset satisfies {wanted}-diversity (l_min = {l_min}). "
            f"Every equivalence class holds at least {l_min} distinct '{name}' value(s)."
        ]
    else:
        texts = [
            f"The dataset does NOT satisfy {wanted}-diversity (l_min = {l_min}). Attribute disclosure is possible for "
            f"records in {s['at_risk_classes']} equivalence class(es) ({s['pct_at_risk']}% of records).",
            f"Equivalence classes with fewer than {wanted} distinct '{name}' values allow an adversary to infer the "
            "sensitive attribute with high confidence. Consider merging small classes or suppressing the sensitive "
            "attribute for under-diverse groups.",
        ]
        if l_min == 1:
            texts.append(
                f"Classes with a single distinct sensitive value fully expose '{name}' for all their members. "
                "These classes must be restructured before publishing."
            )
    texts.append(
        "Note: distinct l-diversity does not account for value distribution within classes. A skewed distribution "
        "(e.g. one rare sensitive value among many identical ones) may still leak information. "
        "Consider t-closeness for stronger guarantees."
    )
    return texts


def t_closeness(s: Mapping[str, Any], name: str) -> list[str]:
    """Advice on t-closeness, from its summary."""
    t, t_max = s["t_threshold"], s["t_max"]
    if s["passed"]:
        texts = [
            f"The dataset satisfies t-closeness with t ≤ {t} (t_max = {t_max}). "
            f"The distribution of '{name}' in every class is close to the global distribution."
        ]
    else:
        texts = [
            f"The dataset does NOT satisfy t-closeness with t ≤ {t} (t_max = {t_max}). The distribution of '{name}' in "
            f"{s['at_risk_classes']} class(es) ({s['pct_at_risk']}% of records) diverges significantly from the "
            "global distribution.",
            f"Apply stronger generalization or add noise to the sensitive attribute '{name}' to reduce distributional "
            "skew within equivalence classes.",
        ]
    if t_max > 0.5:
        texts.append(
            f"t_max = {t_max} is critically high (> 0.5). Some equivalence classes have a sensitive attribute "
            "distribution almost entirely different from the global one, enabling near-certain attribute inference attacks."
        )
    if s["attribute_type"] == "categorical":
        texts.append(
            "Categorical attribute detected: EMD was computed using Total Variation Distance (½·Σ|pᵢ−qᵢ|), "
            "treating all values as unordered."
        )
    else:
        texts.append(
            "Numerical attribute detected: EMD was computed using the ordered CDF distance (Li et al. 2007, §3.2), "
            "which accounts for the magnitude of differences between values."
        )
    texts.append(
        "Recommended t threshold range: 0.05–0.20 for strong privacy, 0.20–0.50 for moderate utility/privacy trade-off. "
        f"Current threshold: {t}."
    )
    return texts
