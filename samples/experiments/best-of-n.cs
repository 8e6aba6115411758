#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Plots the accuracy of the best of n solutions under a process verifier, an outcome verifier and a vote, computed exactly, and reports
// from which n on the process verifier is better.
//   dotnet run -c Release samples/experiments/best-of-n.cs [-- --length T --accuracy Q --flips E --lucky F --wrong-answers K --most N
// --output DIR]
using System.Globalization;
using PostTrain.Exact;
using PostTrain.Rewards;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("best-of-n", "Compares process and outcome verification at best-of-n by enumeration.", steps: 1);
var length = command.Option("--length", "Steps of a solution, 1 to 16.", 4, OptionRange.Between(1, 16));
var accuracy = command.Option("--accuracy", "Probability that a step is correct.", 0.8, OptionRange.Between(0, 1));
var flips = command.Option("--flips", "Probability that a verifier's label is flipped, below 0.5.", 0.1, OptionRange.Between(0, 0.5));
var lucky = command.Option(
    "--lucky",
    "Probability that a solution with a wrong step still has the correct answer.",
    0.0,
    OptionRange.Between(0, 1)
);
var wrongAnswers = command.Option("--wrong-answers", "Number of different wrong answers, equally likely.", 4, OptionRange.AtLeast(1));
var most = command.Option("--most", "The largest n, at least 2.", 1024, OptionRange.Between(2, 1 << 20));
return await command.RunAsync(
    args,
    (run, values) =>
    {
        if (run.Model is not null || run.Data is not null)
            throw new ArgumentException("this sample uses no model and no data: remove --model and --data");
        var world = new NoisyVerification(values.GetValue(length), values.GetValue(accuracy), values.GetValue(flips))
        {
            LuckyAnswers = values.GetValue(lucky),
        };
        double right = world.Accuracy,
            answered = right + (1 - right) * world.LuckyAnswers;
        double[] answers = [answered, .. Enumerable.Repeat((1 - answered) / values.GetValue(wrongAnswers), values.GetValue(wrongAnswers))];
        var (process, weakest, last, outcome) = (
            world.Process(),
            world.Process(steps => steps.Min()),
            world.Process(steps => steps[^1]),
            world.Outcome()
        );
        (string Name, Func<int, double> At, double Limit)[] rules =
        [
            ("process, product", n => BestOfN.Accuracy(process, n), BestOfN.Limit(process)),
            ("process, weakest step", n => BestOfN.Accuracy(weakest, n), BestOfN.Limit(weakest)),
            ("process, last step", n => BestOfN.Accuracy(last, n), BestOfN.Limit(last)),
            ("outcome", n => BestOfN.Accuracy(outcome, n), BestOfN.Limit(outcome)),
            // A vote selects the most likely answer and ignores the solutions. Its closed form ends at 150 samples.
            ("vote", n => n > 128 ? double.NaN : TestTime.MajorityAccuracy(answers, n) * right / answered, double.NaN),
            ("any is right", n => TestTime.BestOfNAccuracy(right, n), 1),
        ];

        int[] samples = [.. Enumerable.Range(0, 21).Select(power => 1 << power).TakeWhile(n => n <= values.GetValue(most))];
        foreach (int n in samples)
            run.Log(
                new StepReport(
                    n,
                    double.NaN,
                    rules.Where(rule => double.IsFinite(rule.At(n))).ToDictionary(rule => $"accuracy/{rule.Name}", rule => rule.At(n)),
                    TimeSpan.Zero
                )
            );
        var table = new ReportTable(
            ["n", .. rules.Select(rule => rule.Name)],
            [
                .. samples.Select(n => (string[])[n.ToString(CultureInfo.InvariantCulture), .. rules.Select(rule => Share(rule.At(n)))]),
                ["∞", .. rules.Select(rule => Share(rule.Limit))],
            ]
        );
        ConsoleTable.Print(table);
        // The outcome verifier is better up to some n. Bisection finds the crossing between the last power of two where it is and the next.
        bool Behind(int n) => rules[3].At(n) > rules[0].At(n) + 1e-12;
        int low = samples.LastOrDefault(Behind, 1),
            high = low == 1 ? 2 : 2 * low;
        while (high - low > 1)
            if (Behind((low + high) / 2))
                low = (low + high) / 2;
            else
                high = (low + high) / 2;
        string finding =
            high == 2 ? "The process verifier is never worse."
            : high > samples[^1] ? $"The outcome verifier is better up to n = {samples[^1]}."
            : $"The outcome verifier is better below n = {high}, the process verifier from there on.";
        Console.WriteLine(finding);

        var page = run.Page(
                "Process against outcome verification at best-of-n",
                $"Solutions of {world.StepAccuracies.Count} steps, each correct with probability {values.GetValue(accuracy)}. One "
                    + "verifier sees a label "
                    + $"for every step, the other for the outcome; a share of {world.Flips} of the labels is flipped. The score is the "
                    + "posterior "
                    + "probability that the solution is correct. All numbers are exact."
            )
            .Tiles(
                new SummaryTile("One sample", Share(right)),
                new SummaryTile("Process, n → ∞", Share(rules[0].Limit)),
                new SummaryTile("Outcome, n → ∞", Share(rules[3].Limit))
            )
            .Paragraph(finding)
            .Curves(
                "Accuracy of the best of n, over log₂ n",
                new CurveChart("Process and outcome", "", [Line(0), Line(3), Line(5)]),
                new CurveChart("How steps are aggregated", "", [Line(0), Line(1), Line(2)])
            )
            .Table("Accuracy", table);
        run.Finish(
            page,
            new Dictionary<string, object>
            {
                ["process_limit"] = rules[0].Limit,
                ["outcome_limit"] = rules[3].Limit,
                ["process_ahead_from"] = high,
                ["accuracy"] = rules.ToDictionary(rule => rule.Name, rule => samples.Select(rule.At).Where(double.IsFinite).ToArray()),
            }
        );
        return Task.CompletedTask;

        CurveSeries Line(int rule) => new(rules[rule].Name, [.. samples.Select(n => new CurvePoint(Math.Log2(n), rules[rule].At(n)))]);
    }
);

static string Share(double value) => double.IsFinite(value) ? Format.Number(value) : "";
