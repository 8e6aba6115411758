using Microsoft.Extensions.AI;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>Creates text sources.</summary>
public static class TextSource
{
    /// <summary>Creates a source from a local model, in batches. Its completions are a function of the prompts, the request and the
    /// weights.</summary>
    /// <remarks>A completion gets at most half of the model's context; a longer prompt is truncated at its beginning.</remarks>
    /// <param name="model">The model; owned by the caller, and used without dropout.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="sampling">Options that a request lacks, such as penalties and suppressed tokens; null for the defaults.</param>
    /// <param name="rows">Prompts per batch, at least 1; 32 by default.</param>
    public static ITextSource Of(CausalLm model, ITokenizer tokenizer, SamplingOptions? sampling = null, int rows = 32)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        Guard.AtLeast(rows, 1, nameof(rows));
        return new ModelTextSource(model, tokenizer, sampling ?? new SamplingOptions(), rows);
    }

    /// <summary>Creates a source from a source of rollouts, such as a server of completions; prompts go as token ids.</summary>
    /// <param name="source">The source.</param>
    /// <param name="tokenizer">The model's tokenizer; its ends are the stop tokens unless <paramref name="sampling"/> has some.</param>
    /// <param name="sampling">Options that a request lacks; null for the defaults.</param>
    public static ITextSource Of(IRolloutSource source, ITokenizer tokenizer, SamplingOptions? sampling = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new RolloutTextSource(source, tokenizer, sampling ?? new SamplingOptions());
    }

    /// <summary>Creates a source from a chat service: each prompt is the unchanged text of one user message. The service renders messages
    /// itself, so pass plain prompts.</summary>
    /// <param name="client">The client; must support <see cref="ChatSourceOptions.Parallelism"/> concurrent calls.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static ITextSource Of(IChatClient client, ChatSourceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        options ??= new ChatSourceOptions();
        options.Check();
        return new ChatTextSource(client, options);
    }

    /// <summary>Creates a source from a function of the prompts and the request.</summary>
    /// <param name="complete">Returns as many completions as prompts, in order.</param>
    public static ITextSource Of(Func<IReadOnlyList<MarkedText>, TextRequest, CancellationToken, Task<IReadOnlyList<SourcedText>>> complete)
    {
        ArgumentNullException.ThrowIfNull(complete);
        return new FunctionTextSource(complete);
    }

    /// <summary>Calls a source and checks that it completed every prompt. Ends on cancellation; a call that ignores it is
    /// abandoned.</summary>
    /// <exception cref="InvalidOperationException">The number of completions is wrong, or one is null.</exception>
    internal static async Task<IReadOnlyList<SourcedText>> AskAsync(
        ITextSource source,
        IReadOnlyList<MarkedText> prompts,
        TextRequest request,
        CancellationToken cancellation
    )
    {
        cancellation.ThrowIfCancellationRequested();
        if (prompts.Count == 0)
            return [];
        var texts = await Patience
            .UntilAsync(source, () => source.CompleteAsync(prompts, request, cancellation), cancellation)
            .ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        if (texts is null || texts.Count != prompts.Count || texts.Any(text => text.Text is null))
            throw new InvalidOperationException(
                $"the text source gave {texts?.Count ?? 0} completions, expected {prompts.Count} texts, one for each prompt"
            );
        return texts;
    }

    /// <summary>Returns the text up to the first of some stop strings.</summary>
    internal static string Before(string text, IReadOnlyList<string> stops, out bool stopped)
    {
        int end = stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(place => place >= 0).DefaultIfEmpty(-1).Min();
        stopped = end >= 0;
        return stopped ? text[..end] : text;
    }

    private sealed class FunctionTextSource(
        Func<IReadOnlyList<MarkedText>, TextRequest, CancellationToken, Task<IReadOnlyList<SourcedText>>> complete
    ) : ITextSource
    {
        public Task<IReadOnlyList<SourcedText>> CompleteAsync(
            IReadOnlyList<MarkedText> prompts,
            TextRequest request,
            CancellationToken cancellation = default
        ) => complete(prompts, request, cancellation);
    }
}
