using PostTrain.Numerics;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;

namespace PostTrain.Search;

/// <summary>Two systems that share a store of beliefs: a fast talker that answers from memory, and a slow reasoner that thinks and writes
/// beliefs (Christakopoulou et al. 2024, arXiv:2410.08328).</summary>
/// <remarks>The talker drafts an answer. Where the <see cref="Router"/> finds it not sure enough, the reasoner is called, what it thought
/// becomes a belief, and the talker answers again with the beliefs in view. Both are text sources: local models or chat services
/// (<see cref="TextSource"/>). One message at a time.</remarks>
public sealed class TalkerReasoner
{
    private readonly ITextSource talker;
    private readonly ITextSource reasoner;
    private readonly Router router;
    private readonly TalkerReasonerOptions options;
    private readonly List<TalkerTurn> turns = [];

    /// <param name="talker">Answers fast.</param>
    /// <param name="reasoner">Thinks slowly.</param>
    /// <param name="router">Says when to think, for example of <see cref="Router.Fit"/>.</param>
    /// <param name="options">At least the signal.</param>
    /// <param name="beliefs">The initial beliefs; an empty store when null.</param>
    public TalkerReasoner(
        ITextSource talker,
        ITextSource reasoner,
        Router router,
        TalkerReasonerOptions options,
        BeliefStore? beliefs = null
    )
    {
        ArgumentNullException.ThrowIfNull(talker);
        ArgumentNullException.ThrowIfNull(reasoner);
        ArgumentNullException.ThrowIfNull(router);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(options.Signal);
        (this.talker, this.reasoner, this.router, this.options, Beliefs) = (
            talker,
            reasoner,
            router,
            options,
            beliefs ?? new BeliefStore()
        );
    }

    /// <summary>The store.</summary>
    public BeliefStore Beliefs { get; }

    /// <summary>The turns so far.</summary>
    public IReadOnlyList<TalkerTurn> Turns => turns;

    /// <summary>Answers a message.</summary>
    /// <param name="message">The user's message.</param>
    /// <param name="cancellation">Ends the answering with an <see cref="OperationCanceledException"/>; the conversation stays as it
    /// was.</param>
    /// <exception cref="InvalidOperationException">The signal is NaN, or a source gave no text.</exception>
    public async Task<TalkerTurn> ReplyAsync(string message, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        var began = options.Clock.GetTimestamp();
        var draft = await AskAsync(talker, options.TalkerPrompt, options.TalkerRequest, message, 0, cancellation).ConfigureAwait(false);
        var signal = await Patience
            .UntilAsync(() => options.Signal(message, draft, cancellation).AsTask(), cancellation)
            .ConfigureAwait(false);
        if (double.IsNaN(signal))
            throw new InvalidOperationException("the signal is NaN, expected a number");
        string? thought = null;
        var reply = draft;
        if (router.CallsSlow(signal))
        {
            thought = await AskAsync(reasoner, options.ReasonerPrompt, options.ReasonerRequest, message, 1, cancellation)
                .ConfigureAwait(false);
            options.Believe(Beliefs, thought);
            reply = await AskAsync(talker, options.TalkerPrompt, options.TalkerRequest, message, 2, cancellation).ConfigureAwait(false);
        }

        var turn = new TalkerTurn(message, reply, signal, thought is not null, thought, options.Clock.GetElapsedTime(began));
        turns.Add(turn);
        return turn;
    }

    // The seed of a text is a function of the request's seed, the turn and its place in the turn.
    private async Task<string> AskAsync(
        ITextSource source,
        Func<IReadOnlyDictionary<string, string>, IReadOnlyList<TalkerTurn>, string, string> prompt,
        TextRequest request,
        string message,
        ulong place,
        CancellationToken cancellation
    )
    {
        var asked = request with { Seed = CounterRandom.Bits(request.Seed, (ulong)turns.Count, place) };
        var text = prompt(Beliefs.Read(), turns, message);
        var answers = await Patience
            .UntilAsync(() => TextSource.AskAsync(source, [text], asked, cancellation), cancellation)
            .ConfigureAwait(false);
        return answers[0].Text;
    }
}
