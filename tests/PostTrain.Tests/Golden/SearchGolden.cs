using System.Text.Json;
using System.Text.RegularExpressions;
using PostTrain.Data;
using PostTrain.Rewards;
using PostTrain.Search;

namespace PostTrain.Tests.Golden;

/// <summary>search.json: test-time search against search-and-learn, with tables for the generator and the process reward model.</summary>
internal static class SearchGolden
{
    internal const double Tolerance = 1e-12;

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["best_of_n"] = new(BestOfN),
            ["beam_search"] = new(Beam),
            ["dvts"] = new(DiverseTrees),
            ["aggregate_scores"] = new(AggregateScores),
            ["votes"] = new(Votes),
            ["pass_at_k"] = new(PassAtK),
            ["pass_at_k_answers"] = new(PassAtKAnswers),
        };

    private static void BestOfN(GoldenCase item) =>
        Replay(
            item,
            (table, aggregation) =>
                SearchMethod.BestOfN(table, table, new BestOfNOptions { Samples = Number(item, "n"), Aggregation = aggregation })
        );

    private static void Beam(GoldenCase item) =>
        Replay(
            item,
            (table, aggregation) =>
                SearchMethod.Beam(
                    table,
                    table,
                    new StepBeamOptions
                    {
                        Branches = Number(item, "n"),
                        Width = Number(item, "beam_width"),
                        Rounds = Number(item, "num_iterations"),
                        LookAhead = Number(item, "lookahead"),
                        ScoresLookAhead = false,
                        DropsDuplicates = item.Flag("filter_duplicates"),
                        SortsCompleted = item.Flag("sort_completed"),
                        Aggregation = aggregation,
                    }
                )
        );

    private static void DiverseTrees(GoldenCase item) =>
        Replay(
            item,
            (table, aggregation) =>
                SearchMethod.DiverseTrees(
                    table,
                    table,
                    new DiverseTreesOptions
                    {
                        Branches = Number(item, "n"),
                        Width = Number(item, "beam_width"),
                        Rounds = Number(item, "num_iterations"),
                        LookAhead = Number(item, "lookahead"),
                        IsAnswered = solution => solution.Text.Contains("boxed{", StringComparison.Ordinal),
                        Aggregation = aggregation,
                    }
                )
        );

    private static void Replay(GoldenCase item, Func<SearchTable, ScoreAggregation, ISearchMethod> method)
    {
        var table = new SearchTable(item.Json("inputs", "choices"), item.Json("inputs", "prm"), Groups(item));
        var result = method(table, Aggregation(item)).RunAsync(new Problem("problem"), seed: 1).GetAwaiter().GetResult();
        Assert.Equal(Strings(item.Json("expected", "completions")), result.Solutions.Select(solution => solution.Solution.Text));
        var scores = item.Json("expected", "scores").EnumerateArray().Select(Doubles).ToArray();
        Assert.Equal(scores, result.Solutions.Select(solution => solution.Scores.ToArray()));
        Assert.Equal(item.Json("expected", "pred").GetString(), result.Best.Solution.Text);
        // The peer also calls its model with nothing to continue.
        var rounds = item.Json("expected", "rounds").EnumerateArray().ToArray();
        Assert.Equal(
            rounds
                .Where(round => round.GetProperty("prefixes").GetArrayLength() > 0)
                .Select(round =>
                    SearchTable.Describe(
                        Strings(round.GetProperty("prefixes")),
                        round.GetProperty("temperature").GetDouble() == 0,
                        round.GetProperty("to_end").GetBoolean()
                    )
                ),
            table.Asked
        );
        Assert.Equal(
            rounds.Where(round => round.TryGetProperty("completions", out _)).Select(round => Lists(round.GetProperty("completions"))),
            table.Scored
        );
    }

    // What the reward model gets in one request of the peer: the samples of a prompt, of a beam, of a tree.
    private static int Groups(GoldenCase item) =>
        item.Kind switch
        {
            "best_of_n" => Number(item, "n"),
            "dvts" => Number(item, "beam_width"),
            _ => 1,
        };

    private static void AggregateScores(GoldenCase item)
    {
        foreach (var aggregation in (ScoreAggregation[])[ScoreAggregation.Last, ScoreAggregation.Minimum, ScoreAggregation.Product])
            Close(
                item.ExpectedNumbers(aggregation.Name),
                [.. item.Json("inputs", "scores").EnumerateArray().Select(row => aggregation.Aggregate(Doubles(row)))]
            );
    }

    private static void Votes(GoldenCase item)
    {
        var aggregation = Aggregation(item);
        ScoredSolution[] solutions =
        [
            .. Strings(item.Json("inputs", "completions"))
                .Zip(
                    item.Json("inputs", "scores").EnumerateArray().Select(Doubles),
                    (text, scores) =>
                        new ScoredSolution(
                            PartialSolution.Start(new Problem("problem")).Then(new SearchStep(text, StepEnd.Finished)),
                            scores,
                            aggregation.Aggregate(scores)
                        )
                ),
        ];
        Close(item.ExpectedNumbers("agg_scores"), [.. solutions.Select(solution => solution.Score)]);
        foreach (var row in item.Json("expected", "rows").EnumerateArray())
        {
            ScoredSolution[] first = [.. solutions.Take(row.GetProperty("n").GetInt32())];
            Assert.Equal(Strings(row.GetProperty("answers")), first.Select(solution => Answer(solution.Solution)));
            Chosen("naive", SolutionChoice.Best);
            Chosen("weighted", SolutionChoice.WeightedOf(Answer));
            Chosen("majority", SolutionChoice.MajorityOf(Answer));

            void Chosen(string name, SolutionChoice choice) =>
                Assert.Equal(row.GetProperty(name).GetString(), $"\\boxed{{{Answer(first[choice.Choose(first)].Solution)}}}");
        }
    }

    // The peer's places: between "final answer is $" and "$. I hope", the last box, the last number; without an answer the empty one, which
    // is voted for like any other.
    private static string Answer(PartialSolution solution)
    {
        const string Before = "final answer is $",
            Behind = "$. I hope";
        var text = solution.Text;
        if (text.Contains(Before, StringComparison.Ordinal) && text.Contains(Behind, StringComparison.Ordinal))
            return text.Split(Before, 2)[1].Split(Behind, 2)[0].Trim();
        if (text.Contains("boxed", StringComparison.Ordinal))
            return AnswerExtraction
                .Extract(text[text.LastIndexOf("\\boxed", StringComparison.Ordinal)..], AnswerPlaces.Boxed)!
                .Replace("dfrac", "frac", StringComparison.Ordinal);
        return Regex.Matches(text, @"-?\d*\.?\d+").LastOrDefault()?.Value ?? "";
    }

    private static void PassAtK(GoldenCase item)
    {
        foreach (var row in item.Json("expected", "rows").EnumerateArray())
            Close(
                [row.GetProperty("value").GetDouble()],
                [TestTime.PassAtK(row.GetProperty("n").GetInt32(), row.GetProperty("correct").GetInt32(), row.GetProperty("k").GetInt32())]
            );
    }

    private static void PassAtKAnswers(GoldenCase item)
    {
        var answer = item.Json("inputs", "answer").GetString()!;
        string[] given = [.. Strings(item.Json("inputs", "preds"))];
        var right = given.Count(one => AnswerEquivalence.AreEquivalent(one, answer));
        string[] names = [.. item.ExpectedNames];
        for (var k = 1; k <= given.Length; k *= 2)
        {
            Assert.Contains($"pass@{k}", names);
            Close([item.ExpectedNumber($"pass@{k}")], [TestTime.PassAtK(given.Length, right, k)]);
        }

        Assert.Equal((int)Math.Log2(given.Length) + 1, names.Length);
    }

    private static ScoreAggregation Aggregation(GoldenCase item) =>
        item.Text("agg_strategy") switch
        {
            "last" => ScoreAggregation.Last,
            "min" => ScoreAggregation.Minimum,
            "prod" => ScoreAggregation.Product,
            var other => throw new NotSupportedException($"agg_strategy is {other}, expected last, min or prod"),
        };

    private static int Number(GoldenCase item, string name) =>
        item.HasParameter(name) ? (int)item.Parameter(name, 0) : throw new KeyNotFoundException($"case {item.Id} has no {name}");

    private static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= Tolerance * (1 + Math.Abs(expected[i])),
                $"[{i}] is {actual[i]:R}, expected {expected[i]:R}"
            );
    }

    private static IEnumerable<string> Strings(JsonElement list) => list.EnumerateArray().Select(text => text.GetString()!);

    private static double[] Doubles(JsonElement list) => [.. list.EnumerateArray().Select(value => value.GetDouble())];

    private static string Lists(JsonElement lists) => SearchTable.Lists(lists.EnumerateArray().Select(Strings));
}
