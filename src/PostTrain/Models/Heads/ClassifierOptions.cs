using PostTrain.Numerics;

namespace PostTrain.Models.Heads;

/// <summary>Options of a <see cref="SequenceClassifier"/> with a new head.</summary>
public sealed record ClassifierOptions
{
    /// <summary>Number of scores, K.</summary>
    /// <value>The default is 1: a reward.</value>
    public int Labels { get; init; } = 1;

    /// <summary>True if the head has a bias, as in transformers' token classifiers (process reward models), but not in its sequence
    /// classifiers.</summary>
    /// <value>The default is false.</value>
    public bool Bias { get; init; }

    /// <summary>Id of the padding token for <see cref="SequenceClassifier.ScoreAtLastNonPadding"/>; null takes the body's, if it has
    /// one.</summary>
    /// <value>The default is null.</value>
    public int? PaddingId { get; init; }

    /// <summary>Initialisation of the head.</summary>
    public HeadOptions Head { get; init; } = new();

    internal void Validate()
    {
        Guard.AtLeast(Labels, 1, nameof(Labels));
        if (PaddingId is { } id)
            Guard.AtLeast(id, 0, nameof(PaddingId));
        Head.Validate();
    }
}
