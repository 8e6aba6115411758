using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts.Logits;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Beams;

/// <summary>Finds likely completions by following several at once.</summary>
public static class BeamSearch
{
    /// <summary>Searches completions of every prompt, as transformers does.</summary>
    /// <remarks>Each step extends all hypotheses by all tokens and goes on with the best that do not end; those among the best that end are
    /// finished, with the score Σ log π / length^α. Biases, penalties and bans of the options act on the log-probs and are part of the
    /// score, which is not normalised again; temperature, truncation and everything about randomness and recording are not used.</remarks>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids of each prompt, at least one each and at most the context length minus 1.</param>
    /// <param name="beams">Options of the search.</param>
    /// <param name="options">Allowed tokens, tokens that end a completion, and the maximum length.</param>
    /// <param name="paddingId">Id for positions before a prompt; the model does not look at it.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <returns>For each prompt the best completions, best first.</returns>
    /// <exception cref="ArgumentException">A prompt or an option is not valid, or there are stop strings, for which a tokenizer is needed;
    /// the message names it.</exception>
    /// <exception cref="InvalidOperationException">The model's logits, or the scores after the processors, hold NaN or +∞, or the logits
    /// are all −∞, or no hypothesis of a prompt is finished or can go on; the message names the prompt and the step, and the options that
    /// ban every token.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left allocated.</exception>
    public static IReadOnlyList<IReadOnlyList<BeamHypothesis>> Generate(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        BeamOptions beams,
        SamplingOptions options,
        int paddingId,
        CancellationToken cancellation = default
    ) => Generate(model, prompts, beams, options, paddingId, null, cancellation);

    /// <summary>Overload with the tokenizer that decodes completions for the search of stop strings and names the padding id. A hypothesis
    /// that completes a stop string is finished.</summary>
    /// <inheritdoc cref="Generate(CausalLm, IReadOnlyList{int[]}, BeamOptions, SamplingOptions, int, CancellationToken)"/>
    public static IReadOnlyList<IReadOnlyList<BeamHypothesis>> Generate(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        BeamOptions beams,
        SamplingOptions options,
        ITokenizer tokenizer,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return Generate(model, prompts, beams, options, tokenizer.PaddingId, tokenizer, cancellation);
    }

    private static IReadOnlyList<IReadOnlyList<BeamHypothesis>> Generate(
        CausalLm model,
        IReadOnlyList<int[]> prompts,
        BeamOptions beams,
        SamplingOptions options,
        int paddingId,
        ITokenizer? tokenizer,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(beams);
        ArgumentNullException.ThrowIfNull(options);
        beams.Validate();
        options.Validate(model.VocabularySize);
        if (options.Rules.Count > 0)
            throw new ArgumentException(
                $"Rules holds {options.Rules.Count} rules, expected none: they act behind a draw, which beam search has not.",
                nameof(options)
            );
        var stopStrings = StopStrings.Of(options, tokenizer);
        var batch = PromptBatch.Create(prompts, options.MaxNewTokens, paddingId, model.InputVocabularySize, model.ContextLength);
        var searches = prompts.Select((_, i) => new BeamPrompt(beams, options, batch.Limits[i], i, stopStrings)).ToArray();

        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var room = Math.Min(batch.Width, model.ContextLength);
        using var cache = model.NewCache(batch.Rows, room);
        var device = cache.Device;
        using var pipeline = new LogitPipeline(options, model.VocabularySize, device);
        var count = beams.Beams;
        var repeated = Enumerable.Range(0, batch.Rows * count).Select(row => (long)(row / count)).ToArray();
        var ids = tensor(batch.Ids, [batch.Rows, batch.Width], device: device);
        var mask = tensor(batch.Mask, [batch.Rows, batch.Width], device: device);
        var candidates = Math.Min((long)Math.Max(2, 1 + options.StopTokens.Distinct().Count()) * count, (long)count * model.VocabularySize);

        // The prompts whose search goes on, in the order of their rows; columns of padding at the start that the cache has forgotten.
        var open = searches;
        for (int step = 0, seen = 0, forgotten = 0; ; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var stepScope = NewDisposeScope();
            var column = batch.PromptLength + step;
            if (column - forgotten > room)
            {
                var padding = open.Min(search => batch.PromptLength - batch.Lengths[search.Prompt]) - forgotten;
                cache.DropFirst(padding);
                forgotten += padding;
            }

            var logits = model.NextLogits(ids.narrow(1, seen, column - seen), mask.narrow(1, forgotten, column - forgotten), cache);
            seen = column;
            if (step == 0)
            {
                // The prompts are run once; then every prompt has a row for each of its hypotheses.
                using var rows = tensor(repeated, device: device);
                logits = logits.index_select(0, rows);
                cache.SelectRows(rows);
                ids = ids.index_select(0, rows).MoveToOuterDisposeScope();
                mask = mask.index_select(0, rows).MoveToOuterDisposeScope();
            }

            int? Reader(int row) => open[row / count].Holds(row % count) ? open[row / count].Prompt : null;
            ScoreCheck.Require(logits, "The model's logits", step, Reader);
            var logProbs = logits.AtLeastSingle().log_softmax(-1);
            var (context, real) = (ids.narrow(1, 0, column), mask.narrow(1, 0, column));
            var scores = pipeline.Process(logProbs, context, real, step);
            ScoreCheck.Require(scores, "The scores after the options' processors", step, Reader, allowsNone: true);
            var running = tensor(open.SelectMany(search => search.Scores).ToArray(), device: device).to_type(scores.dtype).unsqueeze(1);
            var (values, places) = (scores + running).view(open.Length, -1).topk((int)candidates, dim: -1);
            var best = values.to_type(ScalarType.Float64).cpu().data<double>().ToArray();
            var at = places.cpu().data<long>().ToArray();
            var parents = new long[open.Length * count];
            var tokens = new long[parents.Length];
            for (var row = 0; row < open.Length; row++)
            {
                var (written, first) = (step, row * count);
                var range = new Range((int)(row * candidates), (int)((row + 1) * candidates));
                open[row]
                    .Advance(
                        best.AsSpan(range),
                        at.AsSpan(range),
                        model.VocabularySize,
                        parents.AsSpan(row * count, count),
                        tokens.AsSpan(row * count, count),
                        row * count,
                        place => pipeline.Bans(logProbs, context, real, written, first + place)
                    );
            }

            int[] going = [.. Enumerable.Range(0, parents.Length).Where(row => open[row / count].Continues)];
            open = [.. open.Where(search => search.Continues)];
            if (open.Length == 0)
                break;
            (parents, tokens) = ([.. going.Select(row => parents[row])], [.. going.Select(row => tokens[row])]);
            using var kept = tensor(parents, device: device);
            cache.SelectRows(kept);
            var (nextIds, nextMask) = (ids.index_select(0, kept), mask.index_select(0, kept));
            nextIds.narrow(1, column, 1).copy_(tensor(tokens, [tokens.Length, 1], device: device));
            nextMask.narrow(1, column, 1).fill_(1);
            ids.Dispose();
            mask.Dispose();
            (ids, mask) = (nextIds.MoveToOuterDisposeScope(), nextMask.MoveToOuterDisposeScope());
        }

        return [.. searches.Select(search => search.Best())];
    }
}
