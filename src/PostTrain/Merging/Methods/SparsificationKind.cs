namespace PostTrain.Merging;

/// <summary>The method that drops entries of a task vector.</summary>
public enum SparsificationKind
{
    /// <summary>None is.</summary>
    None,

    /// <summary>The ⌊density · n⌋ entries of largest magnitude stay (TIES, arXiv:2306.01708).</summary>
    Magnitude,

    /// <summary>Each stays with the probability density (DARE, arXiv:2311.03099).</summary>
    Random,

    /// <summary>Each stays with a probability that rises with the rank of its magnitude in its row (DELLA, arXiv:2406.11617).</summary>
    RandomByRank,

    /// <summary>The ⌊gamma · n⌋ largest go, then the smallest until ⌊density · n⌋ are left (Model Breadcrumbs,
    /// arXiv:2312.06795).</summary>
    Outliers,
}
