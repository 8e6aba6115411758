using PostTrain.Data;

namespace PostTrain.Training;

/// <summary>Prompts of a step: the next ones of a shuffled stream, or a batch that the caller chose.</summary>
public sealed class PromptSource
{
    private readonly TokenizedPrompt[] prompts;
    private readonly ShuffledOrder? order;
    private readonly long start;

    /// <summary>The stream from a position on.</summary>
    internal PromptSource(TokenizedPrompt[] prompts, ShuffledOrder order, long position) =>
        (this.prompts, this.order, start) = (prompts, order, position);

    /// <summary>These and no others.</summary>
    internal PromptSource(TokenizedPrompt[] prompts) => this.prompts = prompts;

    /// <summary>Whether there are always more prompts: in <see cref="RolloutTrainer.RunAsync"/>, not in
    /// <see cref="RolloutTrainer.StepAsync"/>.</summary>
    public bool IsStream => order is not null;

    /// <summary>Prompts taken in this step.</summary>
    public int Taken { get; private set; }

    /// <summary>Takes the next prompts: as many as asked for, fewer where the caller's batch ends.</summary>
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
