using PostTrain.Data;

namespace PostTrain.Training;

/// <summary>Prompts of a step: the next ones of a shuffled stream, or a batch of the caller.</summary>
public sealed class PromptSource
{
    private readonly TokenizedPrompt[] prompts;
    private readonly ShuffledOrder? order;
    private readonly long start;

    /// <summary>Creates a source that continues the stream at a position.</summary>
    internal PromptSource(TokenizedPrompt[] prompts, ShuffledOrder order, long position) =>
        (this.prompts, this.order, start) = (prompts, order, position);

    /// <summary>Creates a source of exactly these prompts.</summary>
    internal PromptSource(TokenizedPrompt[] prompts) => this.prompts = prompts;

    /// <summary>True if there are always more prompts: in <see cref="RolloutTrainer.RunAsync"/>, not in <see
    /// cref="RolloutTrainer.StepAsync"/>.</summary>
    public bool IsStream => order is not null;

    /// <summary>Number of prompts taken in this step.</summary>
    public int Taken { get; private set; }

    /// <summary>Takes the next prompts: the requested number, fewer if the caller's batch ends.</summary>
    /// <param name="count">At least 0.</param>
    public TokenizedPrompt[] Take(int count)
    {
        if (order is null)
            count = Math.Min(count, prompts.Length - Taken);
        var next = Enumerable.Range(Taken, count).Select(i => prompts[order is null ? i : order[start + i]]).ToArray();
        Taken += count;
        return next;
    }
}
