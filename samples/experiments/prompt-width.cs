#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Prompt tuning and P-tuning against full fine-tuning on bases of several widths, paired over seeds: a base knows eight tasks by name, and the
// prompt has to choose among them. A task that the base does not know is the control: no prompt can teach it.
//   dotnet run -c Release samples/experiments/prompt-width.cs [-- --seeds N --widths 8,16,32 --base-steps N --steps N --output DIR]
using System.Globalization;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("prompt-width", "Compares soft prompts with full fine-tuning over the width of the base.", steps: 800);
var seeds = command.Option("--seeds", "Number of paired seeds, at least 2.", 5, OptionRange.AtLeast(2));
var widthList = command.Option("--widths", "Widths of the bases, multiples of 2, rising.", "8,16,32");
var baseSteps = command.Option("--base-steps", "Steps of a base's training.", 1500, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    (run, values) =>
    {
        int[] widths = [.. values.GetValue(widthList)!.Split(',').Select(width => int.Parse(width, CultureInfo.InvariantCulture))];
        var results = new List<PromptChoice>();
        for (int i = 0; i < values.GetValue(seeds); i++)
        {
            foreach (int width in widths)
            {
                run.Cancellation.ThrowIfCancellationRequested();
                var result = PromptChoice.Run(width, values.GetValue(baseSteps), run.Steps, run.Seed + (ulong)i + 1);
                results.Add(result);
                Console.WriteLine(result);
                run.Log(
                    new StepReport(
                        results.Count,
                        result.Gap,
                        new Dictionary<string, double>
                        {
                            ["seed"] = result.Seed,
                            ["width"] = width,
                            ["named"] = result.Named,
                            ["full"] = result.Full,
                            ["prompt"] = result.Prompt,
                            ["p_tuning"] = result.PTuning,
                            ["unknown_full"] = result.UnknownFull,
                            ["unknown_prompt"] = result.UnknownPrompt,
                        },
                        TimeSpan.Zero
                    )
                );
            }
        }

        double[] Of(int width, Func<PromptChoice, double> value) => [.. results.Where(result => result.Width == width).Select(value)];
        var table = new ReportTable(
            ["width", "base, named", "full", "prompt", "P-tuning", "gap", "P-tuning − prompt", "unknown: full", "unknown: prompt"],
            [
                .. widths.Select(width =>
                    (string[])
                        [
                            $"{width}",
                            Estimate.Of(Of(width, result => result.Named)).ToString(),
                            Estimate.Of(Of(width, result => result.Full)).ToString(),
                            Estimate.Of(Of(width, result => result.Prompt)).ToString(),
                            Estimate.Of(Of(width, result => result.PTuning)).ToString(),
                            Estimate.Of(Of(width, result => result.Gap)).ToString(),
                            Estimate.Of(Of(width, result => result.PTuning - result.Prompt)).ToString(),
                            Estimate.Of(Of(width, result => result.UnknownFull)).ToString(),
                            Estimate.Of(Of(width, result => result.UnknownPrompt)).ToString(),
                        ]
                ),
            ]
        );
        ConsoleTable.Print(table);
        var closing = PairedTest.Of(Of(widths[^1], result => result.Gap), Of(widths[0], result => result.Gap));
        string reading = string.Create(
            CultureInfo.InvariantCulture,
            $"Accuracies on held-out inputs, means over {values.GetValue(seeds)} seeds with Student's 95 % intervals. From width {widths[0]} to "
                + $"{widths[^1]} the gap to full fine-tuning changes by {closing} (p {closing.PValue:G2}, smaller in {closing.Losses} of "
                + $"{closing.Pairs} seeds)."
        );
        Console.WriteLine(reading);
        run.Finish(
            run.Page(
                    "Prompt tuning by the width of the base",
                    "Each base learns eight tasks that an instruction names; a prompt is tuned for one of them without its name. The last two "
                        + "columns are the control: a task that the base does not know."
                )
                .Table("Accuracy", table)
                .Paragraph(reading),
            new Dictionary<string, object>
            {
                ["gap_change"] = closing.Difference.Mean,
                ["gap_change_interval"] = closing.Difference.Interval,
                ["gap_narrowest"] = Estimate.Of(Of(widths[0], result => result.Gap)).Mean,
                ["gap_widest"] = Estimate.Of(Of(widths[^1], result => result.Gap)).Mean,
                ["p_tuning_minus_prompt"] = Estimate.Of([.. results.Select(result => result.PTuning - result.Prompt)]).Mean,
                ["unknown_prompt"] = results.Average(result => result.UnknownPrompt),
                ["unknown_full"] = results.Average(result => result.UnknownFull),
            }
        );
        return Task.CompletedTask;
    }
);
