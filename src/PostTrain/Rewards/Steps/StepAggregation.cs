namespace PostTrain.Rewards.Steps;

/// <summary>The score of a solution from the scores of its steps.</summary>
public enum StepAggregation
{
    /// <summary>Π p_k: the probability that all steps are correct if they are independent (Lightman et al. 2023,
    /// arXiv:2305.20050).</summary>
    Product,

    /// <summary>Σ log p_k: the logarithm of <see cref="Product"/>, which does not underflow.</summary>
    LogSum,

    /// <summary>min p_k: the weakest step (Math-Shepherd, arXiv:2312.08935).</summary>
    Minimum,

    /// <summary>p of the last step (Snell et al. 2024, arXiv:2408.03314).</summary>
    Last,

    /// <summary>The mean of p_k.</summary>
    Mean,
}
