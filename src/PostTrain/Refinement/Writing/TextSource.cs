using Microsoft.Extensions.AI;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>Makes text sources.</summary>
public static class TextSource
{
    /// <summary>A local model, in batches. Its completions are a function of the prompts, the request and the weights.</summary>
    /// <remarks>A completion gets at most half of the model's context; a prompt that does not fit beside it loses its beginning.</remarks>
    /// <param name="model">Continues; stays with the caller, and is asked without dropout.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="sampling">What a request does not say, such as penalties and suppressed tokens; the defaults when null.</param>
    /// <param name="rows">Prompts in a batch, at least 1; 32 by default.</param>
    public static ITextSource Of(CausalLm model, ITokenizer tokenizer, SamplingOptions? sampling = null, int rows = 32)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        Guard.AtLeast(rows, 1, nameof(rows));
        return new ModelTextSource(model, tokenizer, sampling ?? new SamplingOptions(), rows);
    }

    /// <summary>A chat service: each prompt is one user's message, its characters as they are. The service renders messages itself, so give
    /// it plain prompts.</summary>
    /// <param name="client">Answers; must bear <see cref="ChatSourceOptions.Parallelism"/> questions at a time.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static ITextSource Of(IChatClient client, ChatSourceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        options ??= new ChatSourceOptions();
        options.Check();
        return new ChatTextSource(client, options);
    }

    /// <summary>A function of the prompts and the request.</summary>
    /// <param name="complete">As many completions as prompts, in their order.</param>
    public static ITextSource Of(Func<IReadOnlyList<MarkedText>, TextRequest, CancellationToken, Task<IReadOnlyList<SourcedText>>> complete)
    {
        ArgumentNullException.ThrowIfNull(complete);
        return new FunctionTextSource(complete);
    }

    /// <summary>Asks a source, and checks that it answered every prompt. Ends with the cancellation, also where the source does not heed
    /// it: such a call is left behind.</summary>
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

    /// <summary>A text up to the first of some stop strings.</summary>
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
