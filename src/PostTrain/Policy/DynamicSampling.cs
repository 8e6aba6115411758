using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>Options of DAPO's dynamic sampling (arXiv:2503.14476, section 3.2): a step samples further problems until <see
/// cref="Training.TrainingOptions.BatchSize"/> groups have unequal rewards.</summary>
/// <remarks>
/// Groups of equal rewards have no gradient and are left out. Of a problem solved with probability p, a share 1 − pᴳ − (1 − p)ᴳ of the
/// groups remains. A step that finds too few within the limit uses those it has; one that finds none uses its first draw. A batch of the
/// caller (<c>StepAsync</c>) is sampled once and kept whole.
/// </remarks>
public sealed record DynamicSampling
{
    /// <summary>Maximum number of draws per step, each of a batch of problems; at least 1.</summary>
    /// <value>The default is 10, as in verl.</value>
    public int MaxDraws { get; init; } = 10;

    internal void Validate() => Guard.AtLeast(MaxDraws, 1, $"DynamicSampling.{nameof(MaxDraws)}");
}
