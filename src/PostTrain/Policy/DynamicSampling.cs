using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>DAPO's dynamic sampling (arXiv:2503.14476, section 3.2): a step draws further problems until
/// <see cref="Training.TrainingOptions.BatchSize"/> groups have unequal rewards.</summary>
/// <remarks>
/// Groups of equal rewards have no gradient and are left out; a share 1 − pᴳ − (1 − p)ᴳ of the groups of a problem that is solved with
/// probability p remains. A step that finds too few within the bound learns from those it has; one that finds none, from its first draw.
/// A batch of the caller's choice (<c>StepAsync</c>) is drawn once and left whole.
/// </remarks>
public sealed record DynamicSampling
{
    /// <summary>The most draws of a step, each of a batch of problems; at least 1.</summary>
    /// <value>The default is 10, as in verl.</value>
    public int MaxDraws { get; init; } = 10;

    internal void Validate() => Guard.AtLeast(MaxDraws, 1, $"DynamicSampling.{nameof(MaxDraws)}");
}
