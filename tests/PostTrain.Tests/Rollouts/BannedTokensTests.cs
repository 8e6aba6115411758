using PostTrain.Data;
using PostTrain.Policy;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Beams;
using PostTrain.Rollouts.Logits;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>Options that leave a row no token end a generation with an error that names the row, the step and the options.</summary>
[Collection("Sequential")]
public sealed class BannedTokensTests
{
    private const int Vocabulary = 5;
    private static readonly int[][] Prompts =
    [
        [2],
        [3],
    ];

    // Token 0 is never the model's own choice.
    private static Tensor Table(bool closed = false)
    {
        var logits = arange(Vocabulary * Vocabulary, dtype: ScalarType.Float32).remainder(7).reshape(Vocabulary, Vocabulary);
        if (closed)
            logits.narrow(1, 0, Vocabulary - 1).fill_(double.NegativeInfinity);
        return logits;
    }

    private static SamplingOptions Options(string kind) =>
        kind switch
        {
            "bad words" => new SamplingOptions { BadWords = [.. Enumerable.Range(0, Vocabulary).Select(id => (int[])[id])] },
            "end tokens only" => new SamplingOptions
            {
                MinNewTokens = 3,
                StopTokens = [1, 2, 3],
                SuppressedTokens = [0, 4],
            },
            "biases" => new SamplingOptions
            {
                SequenceBiases = [.. Enumerable.Range(0, Vocabulary).Select(id => new SequenceBias([id], double.NegativeInfinity))],
            },
            "empty set" => new SamplingOptions
            {
                Processors = [(scores, _, _) => scores + 0, (scores, _, _) => full_like(scores, double.NegativeInfinity)],
            },
            "several" => new SamplingOptions
            {
                BadWords =
                [
                    [1],
                    [2],
                ],
                SequenceBiases = [new([0], double.NegativeInfinity)],
                SuppressedTokens = [3],
                Processors = [(scores, _, _) => scores.index_fill(1, tensor(4L), double.NegativeInfinity)],
                RepetitionPenalty = 2,
            },
            "not twice" => new SamplingOptions { NoRepeatNGramSize = 1, SuppressedTokens = [0, 1] },
            "the model's own" => new SamplingOptions { SuppressedTokens = [Vocabulary - 1] },
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such kind"),
        };

    /// <summary>A kind, the step at which nothing is left, and the options that the message names.</summary>
    public static TheoryData<string, int, string> Kinds =>
        new()
        {
            { "bad words", 0, "BadWords" },
            { "end tokens only", 0, "MinNewTokens, SuppressedTokens" },
            { "biases", 0, "SequenceBiases" },
            { "empty set", 0, "Processors[1]" },
            { "several", 0, "SequenceBiases, BadWords, SuppressedTokens, Processors[0]" },
            // Of 2, 3 and 4 the prompt has one.
            { "not twice", 2, "NoRepeatNGramSize, SuppressedTokens" },
            { "the model's own", 0, "SuppressedTokens" },
        };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task AllBanned_NamesRowStepAndOptions(string kind, int step, string options)
    {
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(Table(closed: kind == "the model's own"));
        foreach (double temperature in new[] { 1.0, 0, 0.5 })
        foreach (double topP in new[] { 1, 0.9 })
        {
            var sampling = Options(kind) with { Temperature = temperature, TopP = topP, MaxNewTokens = 8 };
            string expected = $"Every token of row 0 is banned at step {step} by {options}, expected options that leave at least one.";
            Assert.Equal(
                expected,
                Assert.Throws<InvalidOperationException>(() => Sampler.Generate(model, Prompts, sampling, 1, 0)).Message
            );
            var stream = Sampler.StreamAsync(model, Prompts, sampling, 1, new CodePoints());
            int pieces = 0;
            var error = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            {
                await foreach (var _ in stream)
                    pieces++;
            });
            Assert.Equal((expected, step * Prompts.Length), (error.Message, pieces));
            foreach (int beams in new[] { 1, 3 })
                Assert.Equal(
                    $"Every continuation of prompt 0 is banned at step {step} by {options}, expected options that leave at least one.",
                    Assert
                        .Throws<InvalidOperationException>(() =>
                            BeamSearch.Generate(model, Prompts, new BeamOptions { Beams = beams }, sampling, 0)
                        )
                        .Message
                );
        }
    }

    // The second row alone has nothing left; a row that is complete is not read.
    [Fact]
    public void TheRow_IsTheOneWithoutTokens_AndCompleteRowsDoNotCount()
    {
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(Table());
        LogitProcessor none(int last) =>
            (scores, ids, _) => scores.masked_fill(ids.select(1, ids.size(1) - 1).eq(last).unsqueeze(1), double.NegativeInfinity);
        var sampling = new SamplingOptions { MaxNewTokens = 2, Processors = [none(3)] };
        Assert.Contains(
            "Every token of row 1 is banned at step 0 by Processors[0]",
            Assert.Throws<InvalidOperationException>(() => Sampler.Generate(model, Prompts, sampling, 1, 0)).Message,
            StringComparison.Ordinal
        );
        // Row 0 ends with 3 at once, and stays in the batch beside row 1.
        LogitProcessor ending = (scores, ids, _) =>
            where(
                ids.select(1, ids.size(1) - 1).eq(2).unsqueeze(1),
                scores.masked_fill(arange(Vocabulary).ne(3), double.NegativeInfinity),
                scores.index_fill(1, tensor(new long[] { 2, 3 }), double.NegativeInfinity)
            );
        var rows = sampling with { MaxNewTokens = 4, StopTokens = [3], Processors = [ending, none(3)] };
        int[][] prompts =
        [
            [2],
            [4],
            [4],
            [4],
            [4],
            [4],
        ];
        using var batch = Sampler.Generate(model, prompts, rows, 1, 0);
        Assert.Equal([3], batch.Completions[0]);
        Assert.All(batch.Completions.Skip(1), tokens => Assert.Equal(4, tokens.Length));
    }

    // Of the two hypotheses one runs into what is banned; the other one is given back.
    [Fact]
    public void Beams_DropAHypothesisThatCannotGoOn()
    {
        using var scope = NewDisposeScope();
        // 0 goes to 1 (likelier) or 2; nothing follows 1; 3 follows 2.
        var table = full([4, 4], double.NegativeInfinity, dtype: ScalarType.Float32);
        table[0, 1] = 1;
        table[0, 2] = 0;
        table[1, 1] = 0;
        table[2, 3] = 0;
        table[3, 3] = 0;
        using var model = new FixedLogits(table);
        var sampling = new SamplingOptions
        {
            MaxNewTokens = 2,
            BadWords =
            [
                [1, 1],
            ],
        };
        var found = BeamSearch.Generate(
            model,
            [
                [0],
            ],
            new BeamOptions { Beams = 2, Returned = 2 },
            sampling,
            0
        );
        Assert.Equal([2, 3], Assert.Single(found[0]).Tokens);
        // Greedy: the likelier one leads nowhere.
        var error = Assert.Throws<InvalidOperationException>(() =>
            BeamSearch.Generate(
                model,
                [
                    [0],
                ],
                new BeamOptions { Beams = 1 },
                sampling,
                0
            )
        );
        Assert.Contains("banned at step 1 by BadWords", error.Message, StringComparison.Ordinal);
    }

    // Whoever draws passes the error on.
    [Fact]
    public async Task Trainers_AndRefiners_EndWithTheError()
    {
        using var model = Toy.Model();
        var sampling = new SamplingOptions
        {
            MaxNewTokens = 4,
            BadWords = [.. Enumerable.Range(0, model.VocabularySize).Select(id => (int[])[id])],
        };
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, GrpoRuns.Small with { Sampling = sampling });
        await Named(() => trainer.StepAsync([new Problem("0=")]));
        Assert.Equal(0, trainer.StepsDone);
        await Named(() => TextSource.Of(model, Toy.Tokenizer, sampling).CompleteAsync(["0="], new TextRequest()));
        await Named(() =>
            new ModelRefiner(model, Toy.Tokenizer, new ModelRefinerOptions { Sampling = sampling })
                .WriteAsync([new DraftRequest(new Problem("0="), 0, 0)])
                .AsTask()
        );

        static async Task Named(Func<Task> draw) =>
            Assert.Contains(
                "banned at step 0 by BadWords",
                (await Assert.ThrowsAsync<InvalidOperationException>(draw)).Message,
                StringComparison.Ordinal
            );
    }
}
