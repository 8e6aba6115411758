using PostTrain.Refinement;
using PostTrain.Refinement.Writing;

namespace PostTrain.Search;

/// <summary>Options of a <see cref="TalkerReasoner"/>.</summary>
public sealed record TalkerReasonerOptions
{
    /// <summary>Confidence of the talker in its draft for a message: a model's likelihood, a classifier, a rule.</summary>
    public required Func<string, string, CancellationToken, ValueTask<double>> Signal { get; init; }

    /// <summary>The talker's prompt, of the beliefs, the turns so far and the message. Default: beliefs, then turns, then the
    /// message.</summary>
    public Func<IReadOnlyDictionary<string, string>, IReadOnlyList<TalkerTurn>, string, string> TalkerPrompt { get; init; } = Plain;

    /// <summary>The reasoner's prompt, of the same. Default: the same.</summary>
    public Func<IReadOnlyDictionary<string, string>, IReadOnlyList<TalkerTurn>, string, string> ReasonerPrompt { get; init; } = Plain;

    /// <summary>Writes what the reasoner thought into the store. Default: as the belief <c>thought</c>.</summary>
    public Action<BeliefStore, string> Believe { get; init; } = (beliefs, thought) => beliefs.Write("thought", thought);

    /// <summary>The talker's request. Default: the defaults of <see cref="TextRequest"/>.</summary>
    public TextRequest TalkerRequest { get; init; } = new();

    /// <summary>The reasoner's request. Default: the defaults of <see cref="TextRequest"/>.</summary>
    public TextRequest ReasonerRequest { get; init; } = new();

    /// <summary>Clock of the latencies. Default: the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    private static string Plain(IReadOnlyDictionary<string, string> beliefs, IReadOnlyList<TalkerTurn> turns, string message) =>
        string.Concat(beliefs.Select(belief => $"[{belief.Key}] {belief.Value}\n"))
        + string.Concat(turns.Select(turn => $"User: {turn.Message}\nAssistant: {turn.Reply}\n"))
        + $"User: {message}\nAssistant:";
}
