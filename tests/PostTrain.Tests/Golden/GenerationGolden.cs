using System.Text.Json;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Beams;
using PostTrain.Rollouts.Logits;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>Logits processors, greedy and beam search against transformers.</summary>
internal static class GenerationGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["processor"] = new(Processor),
            ["beam_search"] = new(Beams),
            ["greedy"] = new(Greedy),
        };

    // What a case names, in the order in which transformers applies them.
    private static void Processor(GoldenCase item)
    {
        var (ids, scores) = (item.Input("input_ids"), item.Input("scores"));
        var mask = ones_like(ids);
        var keep = (int)item.Parameter("min_tokens_to_keep", 1);
        Step("sequence_bias", () => LogitProcessors.SequenceBias(scores, ids, mask, Biases(item)));
        Step("repetition_penalty", () => LogitProcessors.RepetitionPenalty(scores, ids, mask, Number("repetition_penalty")));
        Step("no_repeat_ngram_size", () => LogitProcessors.NoRepeatNGram(scores, ids, mask, (int)Number("no_repeat_ngram_size")));
        Step(
            "bad_words_ids",
            () => LogitProcessors.BadWords(scores, ids, mask, [.. item.Json("params", "bad_words_ids").EnumerateArray().Select(Ids)])
        );
        Step("min_length", () => ids.size(1) < Number("min_length") ? LogitProcessors.Suppress(scores, Stops(item)) : scores);
        Step(
            "min_new_tokens",
            () => ids.size(1) - Number("prompt_length") < Number("min_new_tokens") ? LogitProcessors.Suppress(scores, Stops(item)) : scores
        );
        Step("max_length", () => ids.size(1) == Number("max_length") - 1 ? LogitProcessors.Force(scores, Stops(item)) : scores);
        Step("suppress_tokens", () => LogitProcessors.Suppress(scores, Ids(item.Json("params", "suppress_tokens"))));
        Step("temperature", () => LogitProcessors.Temperature(scores, Number("temperature")));
        Step("top_k", () => LogitProcessors.TopK(scores, (int)Number("top_k"), keep));
        Step("top_p", () => LogitProcessors.TopP(scores, Number("top_p"), keep));
        Step("min_p", () => LogitProcessors.MinP(scores, Number("min_p"), keep));
        Step("typical_p", () => LogitProcessors.Typical(scores, Number("typical_p"), keep));
        Step("epsilon", () => LogitProcessors.EpsilonCutoff(scores, Number("epsilon"), keep));
        Step("eta", () => LogitProcessors.EtaCutoff(scores, Number("eta"), keep));
        GoldenTolerance.Close(item.Expected("scores"), scores, "scores");
        GoldenTolerance.Close(item.Expected("probs"), scores.softmax(-1), "probs");

        double Number(string name) => item.Parameter(name, double.NaN);
        void Step(string name, Func<Tensor> processor)
        {
            if (item.HasParameter(name))
                scores = processor();
        }
    }

    private static void Greedy(GoldenCase item)
    {
        using var model = Load(item);
        var (prompts, width) = Prompts(item);
        var fill = Fill(item);
        using var batch = Sampler.Generate(model, prompts, Options(item) with { Temperature = 0 }, seed: 0, paddingId: fill);
        // The longest prompt can be shorter than the reference's padded ones.
        TensorAssert.Same(
            item.Expected("sequences").narrow(1, width, batch.LogProbs.size(1)),
            batch.Ids.narrow(1, batch.PromptLength, batch.LogProbs.size(1)),
            "sequences"
        );
        Assert.Equal(item.Expected("sequences").size(1) - width, batch.LogProbs.size(1));
    }

    private static void Beams(GoldenCase item)
    {
        using var model = Load(item);
        var (prompts, width) = Prompts(item);
        var beams = new BeamOptions
        {
            Beams = (int)item.Parameter("num_beams", 1),
            Returned = (int)item.Parameter("num_return_sequences", 1),
            LengthPenalty = item.Parameter("length_penalty", 1),
            Stopping = Stopping(item),
        };
        var found = BeamSearch.Generate(model, prompts, beams, Options(item), Fill(item)).SelectMany(list => list).ToList();
        var expected = item.Expected("sequences");
        var length = (int)expected.size(1) - width;
        Assert.Equal(expected.size(0), found.Count);
        Assert.Equal(length, found.Max(hypothesis => hypothesis.Tokens.Count));
        TensorAssert.Close(
            [
                .. found.SelectMany(hypothesis =>
                    hypothesis.Tokens.Concat(Enumerable.Repeat(Fill(item), length - hypothesis.Tokens.Count)).Select(id => (double)id)
                ),
            ],
            expected.narrow(1, width, length),
            0,
            "sequences"
        );
        TensorAssert.Close([.. found.Select(hypothesis => hypothesis.Score)], item.Expected("sequences_scores"), 1e-4, "sequences_scores");
    }

    private static SamplingOptions Options(GoldenCase item) =>
        new()
        {
            MaxNewTokens = (int)item.Parameter("max_new_tokens", 0),
            MinNewTokens = (int)item.Parameter("min_new_tokens", 0),
            RepetitionPenalty = item.Parameter("repetition_penalty", 1),
            NoRepeatNGramSize = (int)item.Parameter("no_repeat_ngram_size", 0),
            SequenceBiases = item.HasParameter("sequence_bias") ? Biases(item) : [],
            BadWords = item.HasParameter("bad_words_ids") ? [.. item.Json("params", "bad_words_ids").EnumerateArray().Select(Ids)] : [],
            SuppressedTokens = item.HasParameter("suppress_tokens") ? Ids(item.Json("params", "suppress_tokens")) : [],
            StopTokens = Stops(item),
        };

    private static BeamStopping Stopping(GoldenCase item)
    {
        if (!item.HasParameter("early_stopping"))
            return BeamStopping.WhenNoBetterIsLikely;
        var value = item.Json("params", "early_stopping");
        return value.ValueKind switch
        {
            JsonValueKind.True => BeamStopping.WhenFull,
            JsonValueKind.False => BeamStopping.WhenNoBetterIsLikely,
            _ => BeamStopping.WhenNoBetterIsPossible,
        };
    }

    private static SequenceBias[] Biases(GoldenCase item) =>
        [.. item.Json("params", "sequence_bias").EnumerateArray().Select(pair => new SequenceBias(Ids(pair[0]), pair[1].GetDouble()))];

    private static int[] Stops(GoldenCase item)
    {
        if (!item.HasParameter("eos_token_id"))
            return [];
        var value = item.Json("params", "eos_token_id");
        return value.ValueKind == JsonValueKind.Array ? Ids(value) : [value.GetInt32()];
    }

    // In beam search the peer takes a pad id of 0 for none, and fills with the end of the sequence.
    private static int Fill(GoldenCase item)
    {
        var padding = (int)item.Parameter("pad_token_id", 0);
        return item.Kind == "beam_search" && padding == 0 && Stops(item) is [var end, ..] ? end : padding;
    }

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    private static Decoder Load(GoldenCase item) => Pretrained.Load(Path.Combine(GoldenFile.Directory, item.Text("model")!));

    private static (int[][] Prompts, int Width) Prompts(GoldenCase item)
    {
        var ids = item.Input("input_ids");
        var width = (int)ids.size(1);
        var values = ids.data<long>().ToArray();
        var mask = item.HasInput("attention_mask")
            ? item.Input("attention_mask").data<long>().ToArray()
            : [.. Enumerable.Repeat(1L, values.Length)];
        return (
            [.. values.Zip(mask).Chunk(width).Select(row => row.Where(pair => pair.Second != 0).Select(pair => (int)pair.First).ToArray())],
            width
        );
    }
}
