using System.Runtime.CompilerServices;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts.Sources;

public sealed class RolloutSourceTests
{
    private static readonly int[][] Prompts =
    [
        [1, 2],
        [3],
        [3],
        [4, 5, 6, 7],
        [8],
        [9, 1, 2],
    ];

    private static readonly SamplingOptions Sampling = new()
    {
        MaxNewTokens = 9,
        StopTokens = [2, 3, 4],
        Recording = LogProbRecording.Drawn,
    };

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.8)]
    public async Task OfAModel_GivesTheSamplersCompletions_BitForBit(double topP)
    {
        using var model = Toy.Model();
        var sampling = Sampling with { TopP = topP };
        var request = RolloutRequest.Of(model, Prompts, sampling, seed: 7) with { Version = 5 };
        using var expected = Sampler.Generate(model, Prompts, sampling, 7, Toy.Tokenizer);
        model.train();
        var samples = await RolloutSource.Of(model, Toy.Tokenizer).CollectAsync(request);
        Assert.True(model.training);
        Assert.Contains(expected.Finished, finished => finished);
        Assert.Contains(expected.Finished, finished => !finished);
        using var batch = RolloutBatch.Of(Prompts, samples, Toy.Tokenizer.PaddingId);
        Assert.Equal(Numbers.Values(expected.Ids), Numbers.Values(batch.Ids));
        Assert.Equal(Numbers.Values(expected.AttentionMask), Numbers.Values(batch.AttentionMask));
        Assert.Equal(Numbers.Values(expected.CompletionMask), Numbers.Values(batch.CompletionMask));
        Assert.Equal(Numbers.Values(expected.LogProbs), Numbers.Values(batch.LogProbs));
        Assert.Equal(expected.Finished, batch.Finished);
        Assert.Equal(expected.Completions, batch.Completions);
        Assert.All(batch.Versions, version => Assert.Equal(5, version));
        Assert.Equal(topP == 1, batch.KeptMass is null);
    }

    // Rows end after 1, 2 and 3 tokens: 0 leads to 1, 1 to 2, 2 to 3, and 3 stops.
    [Fact]
    public async Task OfAModel_GivesEachRowAsSoonAsItHasEnded()
    {
        var table = new double[16];
        for (var token = 0; token < 3; token++)
            table[4 * token + token + 1] = 1000;
        using var model = new FixedLogits(tensor(table, [4, 4]));
        var request = RolloutRequest.Of(
            model,
            [
                [0],
                [2],
                [1],
            ],
            new SamplingOptions { MaxNewTokens = 8, StopTokens = [3] },
            seed: 0
        );
        var rows = new List<int>();
        await foreach (var sample in RolloutSource.Of(model, Toy.Tokenizer).GenerateAsync(request))
        {
            rows.Add(sample.Row);
            Assert.Equal(RolloutFinish.Stop, sample.Finish);
            Assert.Equal(3 - request.Prompts[sample.Row][0], sample.Tokens.Length);
        }
        Assert.Equal([1, 2, 0], rows);
    }

    // p = 0.5, 0.3, 0.2; top-p 0.7 keeps the first two, 0.8 of the probability.
    [Fact]
    public async Task OfAModel_KeptMass_IsTheTruncationsProbability()
    {
        double[] row = [Math.Log(0.5), Math.Log(0.3), Math.Log(0.2)];
        using var model = new FixedLogits(tensor((double[])[.. row, .. row, .. row], [3, 3]));
        var sampling = new SamplingOptions { MaxNewTokens = 4, TopP = 0.7 };
        var request = RolloutRequest.Of(
            model,
            [
                [0],
                [1],
                [2],
                [0],
            ],
            sampling,
            seed: 3
        );
        foreach (var sample in await RolloutSource.Of(model, Toy.Tokenizer).CollectAsync(request))
        {
            Assert.Equal(4, sample.KeptMass!.Length);
            Assert.All(sample.KeptMass, mass => Assert.Equal(0.8, mass, 1e-6));
            Assert.All(sample.Tokens.Zip(sample.LogProbs), pair => Assert.Equal(row[pair.First], pair.Second, 1e-6));
            Assert.DoesNotContain(2, sample.Tokens);
        }
        // A penalty makes it another distribution, of which nothing is known.
        var changed = request with
        {
            Sampling = sampling with { RepetitionPenalty = 1.2 },
        };
        Assert.All(await RolloutSource.Of(model, Toy.Tokenizer).CollectAsync(changed), sample => Assert.Null(sample.KeptMass));
    }

    [Fact]
    public async Task Cancellation_EndsTheDrawing()
    {
        using var model = Toy.Model();
        using var cancellation = new CancellationTokenSource();
        var request = RolloutRequest.Of(model, Prompts, Sampling with { StopTokens = [] }, seed: 1);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            RolloutSource.Of(model, Toy.Tokenizer).CollectAsync(request, cancellation.Token)
        );
    }

    public static TheoryData<string, string> WrongSamples =>
        new()
        {
            { "null", "gave null in place of a completion" },
            { "row", "row 2 is not one of the 2 rows" },
            { "twice", "completed row 0 twice" },
            { "missing", "gave 1 of 2 completions, that of row 1 is missing" },
            { "empty", "row 0 has no token" },
            { "long", "row 0 has 4 tokens, expected at most 3" },
            { "id", "row 0 has the id 20 at token 1, expected ids from 0 to 19" },
            { "negative id", "row 0 has the id -1 at token 0" },
            { "no log-probs", "row 0 has 0 log-probs for 2 tokens" },
            { "few log-probs", "row 0 has 1 log-probs for 2 tokens" },
            { "NaN", "row 0 has the log-prob NaN at token 1" },
            { "infinite", "row 0 has the log-prob -Infinity at token 0" },
            { "positive", "row 0 has the log-prob 0.5 at token 0" },
            { "mass", "row 0 has a kept mass of 1 numbers for 2 tokens" },
            { "zero mass", "row 0 has a kept mass of 2 numbers for 2 tokens" },
        };

    [Theory]
    [MemberData(nameof(WrongSamples))]
    public async Task WrongSample_IsNamed(string what, string message)
    {
        using var model = Toy.Model();
        var good = new RolloutSample(0, [1, 2], [-1, -2], RolloutFinish.Length);
        RolloutSample?[] samples = what switch
        {
            "null" => [null],
            "row" => [good with { Row = 2 }],
            "twice" => [good, good],
            "missing" => [good],
            "empty" => [good with { Tokens = [], LogProbs = [] }],
            "long" => [good with { Tokens = [1, 1, 1, 1], LogProbs = [-1, -1, -1, -1] }],
            "id" => [good with { Tokens = [1, 20] }],
            "negative id" => [good with { Tokens = [-1, 2] }],
            "no log-probs" => [good with { LogProbs = null! }],
            "few log-probs" => [good with { LogProbs = [-1] }],
            "NaN" => [good with { LogProbs = [-1, double.NaN] }],
            "infinite" => [good with { LogProbs = [double.NegativeInfinity, -1] }],
            "positive" => [good with { LogProbs = [0.5, -1] }],
            "mass" => [good with { KeptMass = [1] }],
            _ => [good with { KeptMass = [1, 0] }],
        };
        var request = RolloutRequest.Of(
            model,
            [
                [1],
                [2],
            ],
            new SamplingOptions { MaxNewTokens = 3 },
            seed: 0
        );
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => Source(samples).CollectAsync(request));
        Assert.StartsWith("the source", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongRequest_IsNamed()
    {
        using var model = Toy.Model();
        Assert.Contains(
            "Prompt 1 is empty",
            Refused(() =>
                RolloutRequest.Of(
                    model,
                    [
                        [1],
                        [],
                    ],
                    Sampling,
                    0
                )
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "holds the id 20",
            Refused(() =>
                RolloutRequest.Of(
                    model,
                    [
                        [20],
                    ],
                    Sampling,
                    0
                )
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Temperature",
            Refused(() =>
                RolloutRequest.Of(
                    model,
                    [
                        [1],
                    ],
                    new() { Temperature = -1 },
                    0
                )
            ),
            StringComparison.Ordinal
        );
        await Assert.ThrowsAsync<ArgumentException>(() => Source([]).CollectAsync(new RolloutRequest([], Sampling, 0)));
        // The room that the context leaves is part of the request.
        var request = RolloutRequest.Of(
            model,
            [
                [.. new int[14]],
                [1],
            ],
            new() { MaxNewTokens = 5 },
            0
        );
        Assert.Equal((2, 5), (request.LimitOf(0), request.LimitOf(1)));

        static string Refused(Action action) => Assert.ThrowsAny<ArgumentException>(action).Message;
    }

    private static IRolloutSource Source(RolloutSample?[] samples)
    {
        return RolloutSource.Of("the source", (_, cancellation) => Each(cancellation));

        async IAsyncEnumerable<RolloutSample> Each([EnumeratorCancellation] CancellationToken cancellation)
        {
            foreach (var sample in samples)
            {
                await Task.Yield();
                cancellation.ThrowIfCancellationRequested();
                yield return sample!;
            }
        }
    }
}
