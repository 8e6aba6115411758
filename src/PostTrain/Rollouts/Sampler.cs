using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Draws completions from a model.</summary>
public static class Sampler
{
    /// <summary>Completes a batch of prompts, all rows at once, with cached keys and values.</summary>
    /// <remarks>
    /// <para><see cref="RolloutBatch.LogProbs"/> are log-softmax(logits / temperature) with the suppressed tokens' probability 0, but without the
    /// truncation by top-k and top-p, as in TRL and verl: it is what training recomputes. Greedy completions record them at temperature 1.</para>
    /// <para>The randomness of a token is one number, a function of (seed, row, position in the completion). So the same seed gives the same
    /// completions, and a row's tokens depend on its own prompt and number (<see cref="SamplingOptions.FirstRow"/> plus its place) only, up to the rounding of logits, which can differ with the size
    /// of the batch and the padding.</para>
    /// <para>A batch stops when all rows have drawn a stop token, at <see cref="SamplingOptions.MaxNewTokens"/>, or where the longest prompt
    /// meets the end of the context. No gradient is recorded.</para>
    /// </remarks>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids of each prompt, at least one each and at most the context length minus 1.</param>
    /// <param name="options">How to draw.</param>
    /// <param name="seed">Seed of the randomness.</param>
    /// <param name="paddingId">Id for positions before a prompt and after a completion; the model does not look at it.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <returns>The completions; the caller disposes them.</returns>
    /// <exception cref="ArgumentException">There is no prompt, or a prompt is empty, too long, or holds an id outside the vocabulary.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left allocated.</exception>
    public static RolloutBatch Generate(CausalLm model, IReadOnlyList<int[]> prompts, SamplingOptions options, ulong seed, int paddingId,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate(model.VocabularySize);
        var batch = PromptBatch.Create(prompts, options.MaxNewTokens, paddingId, model.InputVocabularySize, model.ContextLength);

        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var cache = model.NewCache(batch.Rows, batch.Width);
        var device = cache.Device;
        var ids = tensor(batch.Ids, [batch.Rows, batch.Width], device: device);
        var mask = tensor(batch.Mask, [batch.Rows, batch.Width], device: device);
        var alive = ones([batch.Rows, 1], dtype: ScalarType.Int64, device: device);
        var stops = options.StopTokens.Count == 0 ? null : tensor(options.StopTokens.Select(id => (long)id).ToArray(), device: device);
        var uniforms = Uniforms(batch, seed, options.FirstRow, device);
        var logProbs = new List<Tensor>(batch.NewTokens);
        using var sampler = new TokenSampler(options, model.VocabularySize, device);

        for (var step = 0; step < batch.NewTokens; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var stepScope = NewDisposeScope();
            var column = batch.PromptLength + step;
            var input = ids.narrow(1, cache.Length, column - cache.Length);
            var hidden = model.Hidden(input, mask.narrow(1, 0, column), cache);
            var logits = model.Project(hidden.select(1, hidden.size(1) - 1));
            var (tokens, drawn) = sampler.Draw(logits, uniforms.select(0, step));

            var living = alive.ne(0);
            ids.narrow(1, column, 1).copy_(where(living, tokens, ids.narrow(1, column, 1)));
            mask.narrow(1, column, 1).copy_(alive);
            logProbs.Add(drawn.masked_fill(living.logical_not(), 0).MoveToOuterDisposeScope());
            if (stops is null)
                continue;
            alive.mul_(tokens.isin(stops, invert: true).to_type(ScalarType.Int64));
            if (step + 1 < batch.NewTokens && !alive.ne(0).any().ToBoolean())
                break;
        }

        return Collect(batch, ids, mask, logProbs, options);
    }

    private static Tensor Uniforms(PromptBatch batch, ulong seed, int firstRow, Device device)
    {
        var values = new double[checked(batch.NewTokens * batch.Rows)];
        for (var step = 0; step < batch.NewTokens; step++)
        {
            for (var row = 0; row < batch.Rows; row++)
                values[step * batch.Rows + row] = CounterRandom.OpenUniform(seed, (ulong)(firstRow + row), (ulong)step);
        }

        return tensor(values, [batch.NewTokens, batch.Rows, 1], device: device);
    }

    private static RolloutBatch Collect(PromptBatch batch, Tensor ids, Tensor mask, List<Tensor> logProbs, SamplingOptions options)
    {
        var (start, length) = (batch.PromptLength, logProbs.Count);
        var completionMask = mask.narrow(1, start, length);
        // One transfer for everything that C# wants to know: -1 where there is no token.
        var generated = ids.narrow(1, start, length).masked_fill(completionMask.eq(0), -1).cpu().data<long>().ToArray();
        var completions = new int[batch.Rows][];
        var finished = new bool[batch.Rows];
        for (var row = 0; row < batch.Rows; row++)
        {
            var tokens = generated.AsSpan(row * length, length);
            var end = tokens.IndexOf(-1L);
            var completion = new int[end < 0 ? length : end];
            for (var i = 0; i < completion.Length; i++)
                completion[i] = (int)tokens[i];
            completions[row] = completion;
            finished[row] = options.StopTokens.Contains(completion[^1]);
        }

        // Copies, so that the room for tokens that were not drawn is freed.
        return new RolloutBatch(
            ids.narrow(1, 0, start + length).clone(),
            mask.narrow(1, 0, start + length).clone(),
            completionMask.to_type(ScalarType.Float32),
            cat(logProbs, 1),
            start,
            completions,
            finished);
    }
}
