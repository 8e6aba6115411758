using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>The log-probs that a batch records are those of training's forward pass, to the last bit.</summary>
[Collection("Sequential")]
public sealed class RecordedLogProbsTests
{
    [Theory]
    [InlineData("llama", 1)]
    [InlineData("llama", 2)]
    [InlineData("gpt2", 1)]
    [InlineData("gpt2", 2)]
    public void Rescored_OfATinyModel_AreTrainingsToTheBit(string name, int threads)
    {
        using var model = TinyModels.Create(name, ScalarType.Float32);
        Check(model, threads, longest: 9, stops: [7, 8, 9]);
    }

    [RealModelFact]
    public void Rescored_OfRealModels_AreTrainingsToTheBit()
    {
        foreach (var directory in new[] { "craftgpt-5m", "stories260K-hf" })
        {
            using var model = Pretrained.Load(RealModels.PathOf(directory));
            Check(model, 1, longest: 20, stops: [0, 1]);
            Check(model, 2, longest: 20, stops: [0, 1]);
        }
    }

    // Prompts of different lengths, rows that end early, one row alone, parts of a batch; temperature, suppressed tokens and truncation.
    private static void Check(CausalLm model, int threads, int longest, int[] stops)
    {
        var before = get_num_threads();
        set_num_threads(threads);
        try
        {
            for (ulong seed = 0; seed < 4; seed++)
            {
                foreach (var rows in new[] { 1, 2, 5, 16 })
                {
                    var options = new SamplingOptions
                    {
                        MaxNewTokens = 14,
                        StopTokens = stops,
                        Temperature = seed % 2 == 0 ? 1 : 0.7,
                        TopK = seed == 3 ? 9 : 0,
                        SuppressedTokens = seed == 1 ? [11] : [],
                        ScoringRows = rows == 5 ? 2 : null,
                    };
                    Check(model, Prompts(model, rows, longest, seed), options, seed);
                }
            }
        }
        finally
        {
            set_num_threads(before);
        }
    }

    private static int[][] Prompts(CausalLm model, int rows, int longest, ulong seed) =>
        [
            .. Enumerable
                .Range(0, rows)
                .Select(row =>
                    Enumerable
                        .Range(0, 1 + CounterRandom.Below(longest, seed, (ulong)row))
                        .Select(i => 2 + CounterRandom.Below(Math.Min(400, model.VocabularySize) - 2, seed, (ulong)row, 1 + (ulong)i))
                        .ToArray()
                ),
        ];

    private static void Check(CausalLm model, int[][] prompts, SamplingOptions options, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var batch = Sampler.Generate(model, prompts, options, seed, paddingId: 0);
        var size = options.ScoringRows ?? prompts.Length;
        for (var start = 0; start < prompts.Length; start += size)
        {
            var count = Math.Min(size, prompts.Length - start);
            var (ids, mask, counted) = (
                batch.Ids.narrow(0, start, count),
                batch.AttentionMask.narrow(0, start, count),
                batch.CompletionMask.narrow(0, start, count)
            );
            var length = batch.LogProbs.size(1);
            // As a trainer would write it, with a gradient.
            var logits = model.Project(model.Hidden(ids, mask).narrow(1, batch.PromptLength - 1, length));
            if (options.SuppressedTokens is [var suppressed])
                logits = logits + zeros(model.VocabularySize).index_fill(0, tensor(new long[] { suppressed }), double.NegativeInfinity);
            var training = TokenLogProbs.Gather(logits / options.Temperature, ids.narrow(1, batch.PromptLength, length), counted);
            Assert.True(training.requires_grad);
            var recorded = batch.LogProbs.narrow(0, start, count);
            Assert.True(
                recorded.eq(training).all().ToBoolean(),
                $"seed {seed}, rows {start} to {start + count}: off by {(recorded - training).abs().max().ToDouble():R}"
            );
            Assert.True((training.detach() - recorded).exp().eq(1).all().ToBoolean());
        }

        // The drawing pass agrees to rounding, so that what was drawn is what is recorded.
        TensorAssert.Close(batch.LogProbs, batch.DrawnLogProbs, 2e-4);
        Assert.InRange(batch.LogProbs.sum().ToDouble(), double.NegativeInfinity, -1e-3);
    }

    [Fact]
    public void Drawn_RecordsTheDrawingPass()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama", ScalarType.Float32);
        var options = new SamplingOptions { MaxNewTokens = 6 };
        using var rescored = Sampler.Generate(
            model,
            [
                [3, 4],
                [5],
            ],
            options,
            1,
            0
        );
        using var drawn = Sampler.Generate(
            model,
            [
                [3, 4],
                [5],
            ],
            options with
            {
                Recording = LogProbRecording.Drawn,
            },
            1,
            0
        );
        TensorAssert.Same(rescored.DrawnLogProbs, drawn.LogProbs);
        TensorAssert.Same(drawn.LogProbs, drawn.DrawnLogProbs);
        TensorAssert.Same(rescored.LogProbs, drawn.Score(model, options));
        Assert.Equal(rescored.Completions, drawn.Completions);
    }
}
