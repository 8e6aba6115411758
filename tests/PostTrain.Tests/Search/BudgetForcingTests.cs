using PostTrain.Rollouts.Beams;
using PostTrain.Rollouts.Logits;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Search;
using PostTrain.Tests.Models;
using PostTrain.Tests.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Search;

/// <summary>Thinking tokens are counted exactly on every path, whatever else shapes the draw.</summary>
public sealed class BudgetForcingTests
{
    private const int End = 1,
        Stop = 2,
        Open = 3,
        WaitFirst = 4,
        WaitSecond = 5,
        Vocabulary = 12;

    private static readonly BudgetForcing Forcing = new() { EndTokens = [End, Stop], Wait = [WaitFirst, WaitSecond] };

    public static TheoryData<string> Processors =>
        new("none", "greedy", "top-k", "top-p", "penalty", "no n-gram twice", "bad words", "suppressed", "processor", "biases");

    [Theory]
    [MemberData(nameof(Processors))]
    public void Thinking_IsBetweenLeastAndMost(string name)
    {
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(Numbers.Uniform(4, 1.5, Vocabulary, Vocabulary));
        var options = Shaped(name) with { MaxNewTokens = 40, StopTokens = [Stop] };
        var (early, late, waits) = (0, 0, 0);
        foreach (var (least, most) in new[] { (0, int.MaxValue), (6, int.MaxValue), (0, 9), (6, 9), (9, 9), (0, 0), (1, 1) })
        {
            var forced = options with { Rules = [(Forcing with { Least = least, Most = most }).Rule()] };
            using var batch = Sampler.Generate(model, [.. Enumerable.Range(0, 60).Select(i => new[] { 6 + i % 5 })], forced, 3, 0);
            foreach (var tokens in batch.Completions)
            {
                var end = Array.FindIndex(tokens, token => token is End or Stop);
                var thought = end < 0 ? tokens.Length : end;
                Assert.InRange(thought, end < 0 ? 0 : least, Math.Min(most, 40));
                Assert.True(end >= 0 || tokens.Length == 40);
                early += end >= 0 && end == least ? 1 : 0;
                late += end == most ? 1 : 0;
                waits += Enumerable.Range(0, Math.Max(0, thought - 1)).Count(i => tokens[i] == WaitFirst && tokens[i + 1] == WaitSecond);
            }
        }

        Assert.True(early > 0 && late > 0 && waits > 0, $"{early} {late} {waits}");
    }

    // The model draws the end at once: the waits fill the least, cut at the most; then what closes comes, and the answer.
    [Fact]
    public void Paths_OfAModelThatAlwaysEnds_AreExact()
    {
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(Likely(End));
        Assert.Equal([End, End, End], Tokens(model, Forcing, 3));
        Assert.Equal([WaitFirst, WaitSecond, WaitFirst, WaitSecond, End], Tokens(model, Forcing with { Least = 3 }, 5));
        Assert.Equal([WaitFirst, WaitSecond, WaitFirst, End], Tokens(model, Forcing with { Least = 3, Most = 3 }, 4));
        Assert.Equal(
            [WaitFirst, WaitSecond, End, 7, 8, End],
            Tokens(model, Forcing with { Least = 2, Most = 2, Closing = [End, 7, 8] }, 6)
        );
    }

    [Fact]
    public void Paths_OfAModelThatNeverEnds_AreExact()
    {
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(Likely(9));
        Assert.Equal([9, 9, 9, 9], Tokens(model, Forcing, 4));
        Assert.Equal([9, 9, End, 9], Tokens(model, Forcing with { Most = 2 }, 4));
        Assert.Equal([End, 9], Tokens(model, Forcing with { Most = 0 }, 2));
        Assert.Equal([9, Stop, 7, 8, 9], Tokens(model, Forcing with { Most = 1, Closing = [Stop, 7, 8] }, 5));
        // Thinking begins behind a token that never comes.
        Assert.Equal([9, 9, 9, 9], Tokens(model, Forcing with { Most = 1, OpeningToken = Open }, 4));
        using var opening = new FixedLogits(Likely(Open));
        Assert.Equal([Open, Open, Open, End, Open], Tokens(opening, Forcing with { Most = 2, OpeningToken = Open }, 5));
    }

    [Fact]
    public void Rules_ThatReplaceNothing_ChangeNothing()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions { MaxNewTokens = 12, StopTokens = [2] };
        int[][] prompts =
        [
            [3, 4],
            [5],
            [6, 7, 8],
        ];
        using var plain = Sampler.Generate(model, prompts, options, 9, 0);
        using var ruled = Sampler.Generate(model, prompts, options with { Rules = [Forcing.Rule(), (_, _) => null] }, 9, 0);
        Assert.Equal(plain.Completions, ruled.Completions);
        Assert.True(plain.LogProbs.equal(ruled.LogProbs).all().ToBoolean());
    }

    [Fact]
    public void RecordedLogProbs_AreTheModels_AlsoOfForcedTokens()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gpt2");
        var options = new SamplingOptions
        {
            MaxNewTokens = 10,
            Temperature = 0.9,
            Rules = [(Forcing with { Least = 4, Most = 6 }).Rule()],
        };
        using var batch = Sampler.Generate(
            model,
            [
                [3, 4],
                [5],
            ],
            options,
            9,
            0
        );
        TensorAssert.Close(batch.LogProbs, batch.DrawnLogProbs, 1e-12);
        Assert.All(batch.Completions, tokens => Assert.InRange(Array.FindIndex(tokens, token => token is End or Stop), 4, 6));
    }

    // Across the steps of a search a solution has one budget.
    [Fact]
    public async Task Budget_IsThatOfTheSolution_NotOfAStep()
    {
        var tokenizer = new CharacterTokenizer("0123456789+=;abcdefgh");
        var end = tokenizer.Encode("b")[0];
        var forcing = BudgetForcing.Of(tokenizer, "b", "gh") with { Least = 9, Most = 11 };
        using var model = TinyModels.Create("llama");
        using var steps = StepGenerator.Of(
            model,
            tokenizer,
            new StepOptions
            {
                Separators = [],
                MaxStepTokens = 3,
                Sampling = new SamplingOptions
                {
                    MaxNewTokens = 18,
                    Rules = [forcing.Rule()],
                    SuppressedTokens = [tokenizer.EndOfSequenceId!.Value, tokenizer.PaddingId],
                },
            }
        );
        for (var seed = 0UL; seed < 20; seed++)
        {
            var at = PartialSolution.Start(new Problem("12+3="));
            for (var k = 0UL; !at.IsComplete; k++)
                at = at.Then((await steps.ContinueAsync([new StepRequest(at, 50 * seed + k)]))[0]);
            Assert.InRange(Array.IndexOf(at.ToCompletion().Tokens, end), 9, 11);
        }
    }

    [Fact]
    public void BadInput_IsNamed()
    {
        void Refused(BudgetForcing forcing, string message) =>
            Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(forcing.Rule).Message, StringComparison.Ordinal);
        Refused(Forcing with { Least = -1 }, "Least must be at least 0");
        Refused(Forcing with { Least = 5, Most = 4 }, "Most must be at least 5");
        Refused(Forcing with { EndTokens = [] }, "EndTokens is empty");
        Refused(Forcing with { Wait = [] }, "Wait is []");
        Refused(Forcing with { Wait = [WaitFirst, End] }, "Wait is [4, 1]");
        Refused(Forcing with { Closing = [7] }, "Closing is [7]");
        var tokenizer = new CharacterTokenizer("ab");
        Assert.Contains("end 'ab' is 2 tokens", Assert.Throws<ArgumentException>(() => BudgetForcing.Of(tokenizer, "ab", "a")).Message);

        using var scope = NewDisposeScope();
        using var model = new FixedLogits(Likely(9));
        void Failing(IReadOnlyList<int> replacement, string message)
        {
            var options = new SamplingOptions { MaxNewTokens = 3, Rules = [(_, _) => replacement] };
            var error = Assert.Throws<InvalidOperationException>(() =>
                Sampler.Generate(
                    model,
                    [
                        [6],
                    ],
                    options,
                    1,
                    0
                )
            );
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
        }
        Failing([], "put no token in place");
        Failing([12], "gave the token 12, expected ids from 0 to 11");
        var beams = Assert.ThrowsAny<ArgumentException>(() =>
            BeamSearch.Generate(
                model,
                [
                    [6],
                ],
                new BeamOptions(),
                new SamplingOptions { Rules = [Forcing.Rule()] },
                0
            )
        );
        Assert.Contains("Rules", beams.Message, StringComparison.Ordinal);
    }

    private static int[] Tokens(FixedLogits model, BudgetForcing forcing, int count)
    {
        var options = new SamplingOptions
        {
            MaxNewTokens = count,
            Temperature = 0,
            Rules = [forcing.Rule()],
        };
        using var batch = Sampler.Generate(
            model,
            [
                [6],
            ],
            options,
            1,
            0
        );
        return batch.Completions[0];
    }

    private static Tensor Likely(int token)
    {
        var logits = zeros([Vocabulary, Vocabulary], dtype: ScalarType.Float64);
        logits.select(1, token).fill_(20);
        return logits;
    }

    private static SamplingOptions Shaped(string name) =>
        name switch
        {
            "greedy" => new SamplingOptions { Temperature = 0, RepetitionPenalty = 1.7 },
            "top-k" => new SamplingOptions { TopK = 3 },
            "top-p" => new SamplingOptions { TopP = 0.7, Temperature = 1.5 },
            "penalty" => new SamplingOptions { RepetitionPenalty = 1.4 },
            "no n-gram twice" => new SamplingOptions { NoRepeatNGramSize = 4 },
            "bad words" => new SamplingOptions
            {
                BadWords =
                [
                    [WaitFirst],
                    [7, 8],
                ],
            },
            "suppressed" => new SamplingOptions { SuppressedTokens = [WaitFirst, WaitSecond, 0] },
            "processor" => new SamplingOptions { Processors = [(scores, _, _) => scores * 2] },
            "biases" => new SamplingOptions { SequenceBiases = [new SequenceBias([End], 2)], MinNewTokens = 2 },
            _ => new SamplingOptions(),
        };
}
