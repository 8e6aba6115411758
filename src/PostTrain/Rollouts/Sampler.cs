using System.Runtime.CompilerServices;
using PostTrain.Models;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Draws completions from a model.</summary>
public static class Sampler
{
    /// <summary>Completes a batch of prompts, all rows at once, with cached keys and values.</summary>
    /// <remarks>
    /// <para><see cref="RolloutBatch.LogProbs"/> are log-softmax(logits / temperature) with the suppressed tokens' probability 0, but
    /// without penalties, bans and truncation, as in TRL and verl: it is what training recomputes, and
    /// <see cref="SamplingOptions.Recording"/> says by which pass. Greedy completions record them at temperature 1.</para>
    /// <para>The randomness of a token is one number, a function of (seed, the row's number, position in the completion). So the same seed
    /// gives the same completions, and a row's tokens depend on its own prompt and number (<see cref="SamplingOptions.RowSeeds"/>, else
    /// <see cref="SamplingOptions.FirstRow"/> plus its place) only, not on the rows beside it, up to the rounding of logits:
    /// docs/generation.md says where that is exact.</para>
    /// <para>Each row ends alone: by a stop token or string, at <see cref="SamplingOptions.MaxNewTokens"/>, or where its own prompt and
    /// completion fill the context. So <see cref="RolloutBatch.Ids"/> can have more columns than the context has positions, the padding
    /// being none. No gradient is recorded.</para>
    /// </remarks>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids of each prompt, at least one each and at most the context length minus 1.</param>
    /// <param name="options">How to draw.</param>
    /// <param name="seed">Seed of the randomness.</param>
    /// <param name="paddingId">Id for positions before a prompt and after a completion; the model does not look at it.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <returns>The completions; the caller disposes them.</returns>
    /// <exception cref="ArgumentException">There is no prompt, or a prompt is empty, too long, or holds an id outside the vocabulary; or
    /// there are stop strings, for which a tokenizer is needed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model's logits, or the scores after the processors, hold NaN or +∞, or are all −∞;
    /// the message names the row and the step, and the options that ban every token.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left allocated.</exception>
    public static RolloutBatch Generate(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        SamplingOptions options,
        ulong seed,
        int paddingId,
        CancellationToken cancellation = default
    ) => Generate(model, prompts, options, seed, paddingId, null, cancellation);

    /// <summary>The same, with the tokenizer that decodes what is looked through for stop strings, and that names the padding.</summary>
    /// <inheritdoc cref="Generate(CausalLm, IReadOnlyList{int[]}, SamplingOptions, ulong, int, CancellationToken)"/>
    public static RolloutBatch Generate(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        SamplingOptions options,
        ulong seed,
        ITokenizer tokenizer,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return Generate(model, prompts, options, seed, tokenizer.PaddingId, tokenizer, cancellation);
    }

    private static RolloutBatch Generate(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        SamplingOptions options,
        ulong seed,
        int paddingId,
        ITokenizer? tokenizer,
        CancellationToken cancellation
    )
    {
        using var decoding = new Decoding(model, prompts, options, seed, paddingId, tokenizer);
        do
        {
            cancellation.ThrowIfCancellationRequested();
            decoding.Step();
        } while (decoding.Continues);
        return Recorded(model, decoding.Collect(), options);
    }

    /// <summary>The same completions as
    /// <see cref="Generate(CausalLm, IReadOnlyList{int[]}, SamplingOptions, ulong, ITokenizer, CancellationToken)"/>, token by token as
    /// they are drawn.</summary>
    /// <remarks>No log-probs are kept. The pieces of a row joined are <c>tokenizer.Decode</c> of its tokens; characters of several tokens
    /// come when they are whole.</remarks>
    /// <param name="model">The model.</param>
    /// <param name="prompts">As in
    /// <see cref="Generate(CausalLm, IReadOnlyList{int[]}, SamplingOptions, ulong, ITokenizer, CancellationToken)"/>.</param>
    /// <param name="options">As in
    /// <see cref="Generate(CausalLm, IReadOnlyList{int[]}, SamplingOptions, ulong, ITokenizer, CancellationToken)"/>.</param>
    /// <param name="seed">As in
    /// <see cref="Generate(CausalLm, IReadOnlyList{int[]}, SamplingOptions, ulong, ITokenizer, CancellationToken)"/>.</param>
    /// <param name="tokenizer">Decodes the pieces.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <exception cref="ArgumentException">As in
    /// <see cref="Generate(CausalLm, IReadOnlyList{int[]}, SamplingOptions, ulong, ITokenizer, CancellationToken)"/>, at the first
    /// element.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left allocated.</exception>
    public static async IAsyncEnumerable<RolloutPiece> StreamAsync(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        SamplingOptions options,
        ulong seed,
        ITokenizer tokenizer,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        using var decoding = new Decoding(model, prompts, options, seed, tokenizer.PaddingId, tokenizer);
        var texts = prompts.Select(_ => new TextPieces(tokenizer)).ToArray();
        do
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var row in decoding.Step())
            {
                var (token, last) = (decoding.Completion(row)[^1], decoding.IsComplete(row));
                yield return new RolloutPiece(row, token, texts[row].Next(decoding.Completion(row), last), last, decoding.HasEnded(row));
            }

            // Whoever shares the thread, such as a window, has its turn.
            await Task.Yield();
        } while (decoding.Continues);
    }

    private static RolloutBatch Recorded(CausalLm model, RolloutBatch drawn, SamplingOptions options)
    {
        if (options.Recording == LogProbRecording.Drawn)
            return drawn;
        using (drawn)
        using (var scope = NewDisposeScope())
        {
            return drawn.With(drawn.Score(model, options));
        }
    }
}
