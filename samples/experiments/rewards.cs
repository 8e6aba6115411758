#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Applies the four reward schemes to the same completions: their variance, their agreement with the correct answer, and how each is hacked.
//   dotnet run -c Release samples/experiments/rewards.cs [-- --model DIR --data FILE --held-out N --group N --output DIR]
using MathNet.Numerics.Statistics;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("rewards", "Scores the same completions with the four reward schemes.", steps: 1, heldOut: 100);
var groupSize = command.Option("--group", "Completions per prompt, at least 3.", 8, OptionRange.AtLeast(3));
var tokens = command.Option("--tokens", "Maximum completion length in tokens.", 48, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "plain");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        int size = values.GetValue(groupSize);
        using var subject = Subject.Load(run);
        var problems = run.Data is null
            ? ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed)
            :
            [
                .. UserData
                    .Fitting(
                        RecordReader.Problems(run.Data, UserData.Template(values.GetValue(template)!, subject.Folder)),
                        subject.Tokenizer,
                        subject.Model.ContextLength - values.GetValue(tokens),
                        problem => [problem.Prompt]
                    )
                    .Items.Distinct()
                    .Take(run.HeldOut),
            ];
        var places = subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Any;
        var schemes = RewardScheme.All(places, subject.IsToy ? ";" : "\n");
        Problem[] asked = [.. problems.SelectMany(problem => Enumerable.Repeat(problem, size))];
        Console.WriteLine($"{problems.Count} prompts with {size} completions each");
        var sampling = subject.Sampling(values.GetValue(tokens));
        var completions = Sampled.Completions(subject.Model, subject.Tokenizer, asked, sampling, run.Seed);
        var truth = (
            await Reward.MathAnswer(new MathAnswerOptions { Places = places }).ScoreAsync(completions, RewardContext.None, run.Cancellation)
        ).Values;

        var scored = new List<Scored>();
        foreach (var scheme in schemes)
        {
            var scores = await scheme.Signal.ScoreAsync(completions, RewardContext.None, run.Cancellation);
            scored.Add(new Scored(scheme, scores.Values, [.. scores.Values.Chunk(size)], [.. truth.Chunk(size)]));
            Console.WriteLine($"{scheme.Name, -12} mean {Format.Number(scores.Values.Average())}");
        }

        // One record per group: the mean of each scheme.
        for (int group = 0; group < problems.Count; group++)
            run.Log(
                new StepReport(
                    group + 1,
                    double.NaN,
                    scored.ToDictionary(item => $"reward/{item.Scheme.Name}", item => item.Groups[group].Average()),
                    TimeSpan.Zero
                )
            );

        var table = new ReportTable(
            ["scheme", "mean", "variance", "within groups", "groups without a signal", "right above wrong", "correlation with right"],
            [
                .. scored.Select(item =>
                    (string[])
                        [
                            item.Scheme.Name,
                            Format.Number(item.Values.Average()),
                            Format.Number(item.Values.PopulationVariance()),
                            Format.Number(item.Within),
                            item.Silent.ToString(),
                            item.Order.ToString(),
                            Format.Number(item.Correlation),
                        ]
                ),
            ]
        );
        ConsoleTable.Print(table);
        if (truth.All(value => value < 0.5))
            Console.WriteLine(
                "no completion is correct, so the schemes cannot be compared with the correct answer: use an easier task, a "
                    + "better model, or a larger --group or --tokens"
            );
        Console.WriteLine(
            "right above wrong: over the groups that have both, the probability that a correct completion scores above a wrong "
                + "one (a tie counts ½); 95 % intervals"
        );
        var rules = new ReportTable(
            ["scheme", "rewards", "fails"],
            [.. schemes.Select(scheme => (string[])[scheme.Name, scheme.Rule, scheme.Failure])]
        );
        var fooled = subject.IsToy ? await FooledAsync(schemes) : null;
        if (fooled is not null)
            ConsoleTable.Print(fooled);

        var page = run.Page(
                "Four reward schemes on the same completions",
                $"{subject.Name}, {problems.Count} prompts with {size} completions each at temperature 1."
            )
            .Tiles([
                .. scored.Select(item => new SummaryTile(
                    item.Scheme.Name,
                    Format.Number(item.Values.Average()),
                    $"variance {Format.Number(item.Values.PopulationVariance())}"
                )),
            ])
            .Table("Reward schemes", rules)
            .Table("Variance, and agreement with the correct answer", table)
            .Paragraph(
                "The variance within groups is the signal of a group-relative method. Right above wrong: over the groups with "
                    + "correct and wrong "
                    + "completions, the probability that a correct one scores above a wrong one, a tie counted as half; 0.5 is chance."
            )
            .Proportions(
                "Groups in which all rewards are equal",
                [.. scored.Select(item => new NamedProportion(item.Scheme.Name, item.Silent))]
            )
            .Curves(
                "By group, sorted",
                new CurveChart(
                    "Mean reward of a group",
                    "",
                    [
                        .. scored.Select(item => new CurveSeries(
                            item.Scheme.Name,
                            [.. item.Groups.Select(group => group.Average()).Order().Select((value, i) => new CurvePoint(i + 1, value))]
                        )),
                    ]
                ),
                new CurveChart(
                    "Standard deviation within a group",
                    "",
                    [
                        .. scored.Select(item => new CurveSeries(
                            item.Scheme.Name,
                            [
                                .. item
                                    .Groups.Select(group => group.PopulationStandardDeviation())
                                    .Order()
                                    .Select((value, i) => new CurvePoint(i + 1, value)),
                            ]
                        )),
                    ]
                )
            );
        if (fooled is not null)
            page.Table("How each scheme is hacked", fooled);
        run.Finish(
            page,
            scored.ToDictionary(
                item => item.Scheme.Name,
                object (item) =>
                    new Dictionary<string, object>
                    {
                        ["mean"] = item.Values.Average(),
                        ["variance"] = item.Values.PopulationVariance(),
                        ["variance_within_groups"] = item.Within,
                        ["silent_groups"] = item.Silent.Value,
                        ["silent_groups_interval"] = item.Silent.Interval(),
                        ["right_above_wrong"] = item.Order.Mean,
                        ["right_above_wrong_interval"] = item.Order.Interval,
                        ["correlation"] = item.Correlation,
                    }
            )
        );
    }
);

// One group of hand-written answers to one sum, each of which exploits some scheme.
static async Task<ReportTable> FooledAsync(IReadOnlyList<RewardScheme> schemes)
{
    var problem = new Problem("347+285=", "632");
    (string What, string Text)[] answers =
    [
        ("worked out, right", "<think>7+5+0=12;4+8+1=13;3+2+1=6</think><answer>632</answer>"),
        ("right answer, wrong steps", "<think>7+5+0=11;4+8+1=15;3+2+1=9</think><answer>632</answer>"),
        ("needless true steps, wrong answer", "<think>1+1+0=2;2+2+0=4;3+3+0=6</think><answer>999</answer>"),
        ("bare guess that is right, no tags", "632"),
        ("the mistake that all make", "<answer>622</answer>"),
        ("the mistake that all make", "<answer>622</answer>"),
        ("the mistake that all make", "<answer>622</answer>"),
        ("long and wrong", "<think>7+5+0=19;4+8+1=18;3+2+1=17;7+5+0=19;4+8+1=18;3+2+1=17</think><answer>111</answer>"),
    ];
    Completion[] completions = [.. answers.Select(answer => new Completion(problem, answer.Text, [], true))];
    var columns = new List<double[]>();
    foreach (var scheme in schemes)
        columns.Add((await scheme.Signal.ScoreAsync(completions, RewardContext.None)).Values);
    return new ReportTable(
        [$"answer to {problem.Prompt}", .. schemes.Select(scheme => scheme.Name), "text"],
        [.. answers.Select((answer, i) => (string[])[answer.What, .. columns.Select(column => Format.Number(column[i], 2)), answer.Text])]
    );
}

// The scores of a scheme, by group, with the correctness.
internal sealed record Scored(RewardScheme Scheme, double[] Values, double[][] Groups, double[][] Truth)
{
    public double Within => Groups.Average(group => group.PopulationVariance());

    public Proportion Silent => new(Groups.Count(group => group.Max() - group.Min() < 1e-12), Groups.Length);

    public double Correlation => MathNet.Numerics.Statistics.Correlation.Pearson(Values, Truth.SelectMany(group => group));

    // One value for each group with correct and wrong completions, so that the interval is over prompts.
    public Estimate Order =>
        Estimate.Of([.. Groups.Zip(Truth).Select(pair => Above(pair.First, pair.Second)).Where(value => !double.IsNaN(value))]);

    private static double Above(double[] scores, double[] truth) =>
        (
            from right in Enumerable.Range(0, scores.Length)
            where truth[right] > 0.5
            from wrong in Enumerable.Range(0, scores.Length)
            where truth[wrong] < 0.5
            select scores[right] > scores[wrong] ? 1
            : scores[right] == scores[wrong] ? 0.5
            : 0
        )
            .DefaultIfEmpty(double.NaN)
            .Average();
}
