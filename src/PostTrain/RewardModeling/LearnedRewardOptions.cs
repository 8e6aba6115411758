using PostTrain.Numerics;

namespace PostTrain.RewardModeling;

/// <summary>Options of a reward by a trained reward model.</summary>
public sealed record LearnedRewardOptions
{
    /// <summary>The name in the log.</summary>
    /// <value>The default is <c>reward_model</c>.</value>
    public string Name { get; init; } = "reward_model";

    /// <summary>Completions that go through the model at once, at least 1.</summary>
    /// <value>The default is 16.</value>
    public int BatchSize { get; init; } = 16;

    /// <summary>Ends finished completions that have no end yet with the tokenizer's end-of-sequence token; the same as in training. One
    /// that its length limit ended never has it.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    /// <summary>Judges a text that is longer than the reward model's context by its beginning, where it is refused otherwise. A policy's
    /// completion can be longer as text than the tokens that it was drawn as, and the two models may have other tokenizers.</summary>
    /// <value>The default is false.</value>
    public bool CutsLonger { get; init; }

    /// <summary>The encoding of a process reward model's solutions; the same as in training. All steps are scored, whatever it says of the
    /// last one.</summary>
    /// <value>The default ends each step with a line feed.</value>
    public StepEncodingOptions Encoding { get; init; } = new();

    internal void Check()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Name);
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
        ArgumentNullException.ThrowIfNull(Encoding);
        Encoding.Check();
    }
}
