using PostTrain.Numerics;

namespace PostTrain.Models.Heads;

/// <summary>What a <see cref="SequenceClassifier"/> on a fresh head scores.</summary>
public sealed record ClassifierOptions
{
    /// <summary>Number of scores, K.</summary>
    /// <value>The default is 1: a reward.</value>
    public int Labels { get; init; } = 1;

    /// <summary>Whether the head has a bias, as transformers' token classifiers (process reward models) have and its sequence classifiers
    /// have not.</summary>
    /// <value>The default is false.</value>
    public bool Bias { get; init; }

    /// <summary>Id of the padding token, which <see cref="SequenceClassifier.ScoreAtLastNonPadding"/> looks for; null takes the body's,
    /// where it names one.</summary>
    /// <value>The default is null.</value>
    public int? PaddingId { get; init; }

    /// <summary>How the head starts.</summary>
    public HeadOptions Head { get; init; } = new();

    internal void Validate()
    {
        Guard.AtLeast(Labels, 1, nameof(Labels));
        if (PaddingId is { } id)
            Guard.AtLeast(id, 0, nameof(PaddingId));
        Head.Validate();
    }
}
