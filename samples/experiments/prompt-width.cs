#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Prompt tuning and P-tuning against full fine-tuning on bases of several widths, paired over seeds: a base knows eight tasks by name, and
// the
// prompt has to choose among them. A task that the base does not know is the control: no prompt can teach it.
//   dotnet run -c Release samples/experiments/prompt-width.cs [-- --seeds N --widths 8,16,32 --base-steps N --steps N --output DIR]
using System.Globalization;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
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
            $"Accuracies on held-out inputs, means over {values.GetValue(seeds)} seeds with Student's 95 % intervals. "
                + $"From width {widths[0]} to "
                + $"{widths[^1]} the gap to full fine-tuning changes by {closing} (p {closing.PValue:G2}, smaller in {closing.Losses} of "
                + $"{closing.Pairs} seeds)."
        );
        Console.WriteLine(reading);
        run.Finish(
            run.Page(
                    "Prompt tuning by the width of the base",
                    "Each base learns eight tasks that an instruction names; a prompt is tuned for one of them without its name. "
                        + "The last two "
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

/// <summary>What soft prompts reach on a base of one width, beside full fine-tuning.</summary>
/// <param name="Seed">Seed of base, data and prompts.</param>
/// <param name="Width">Width of the base.</param>
/// <param name="Named">The base's accuracy when the prompt names the task.</param>
/// <param name="Full">Accuracy after full fine-tuning on the task without its name.</param>
/// <param name="Prompt">After prompt tuning.</param>
/// <param name="PTuning">After P-tuning.</param>
/// <param name="UnknownFull">After full fine-tuning on the task that the base does not know.</param>
/// <param name="UnknownPrompt">After prompt tuning on it.</param>
internal sealed record PromptChoice(
    ulong Seed,
    int Width,
    double Named,
    double Full,
    double Prompt,
    double PTuning,
    double UnknownFull,
    double UnknownPrompt
)
{
    private const int Examples = 300,
        HeldOut = 300,
        Length = 8;

    /// <summary>The loss in accuracy of prompt tuning against full fine-tuning.</summary>
    public double Gap => Full - Prompt;

    /// <summary>Trains a base and tunes it in each way.</summary>
    /// <param name="width">Width of the base.</param>
    /// <param name="baseSteps">Steps of the base's training.</param>
    /// <param name="steps">Steps of each tuning.</param>
    /// <param name="seed">Seed of everything.</param>
    public static PromptChoice Run(int width, int baseSteps, int steps, ulong seed)
    {
        using var model = TaskMixture.Base(width, baseSteps, seed);
        char task = TaskMixture.Names[(int)(seed % (ulong)TaskMixture.Names.Length)];
        var (train, heldOut) = TaskMixture.Task(task, Examples, HeldOut, seed);
        var (unknownTrain, unknownHeldOut) = TaskMixture.Task(TaskMixture.Unknown, Examples, HeldOut, seed);
        double named = TaskMixture.Accuracy(model, heldOut, TaskMixture.Named(task, heldOut, seed));
        return new PromptChoice(
            seed,
            width,
            named,
            Full(train, heldOut),
            Prompt(train, heldOut),
            PTuning(train, heldOut),
            Full(unknownTrain, unknownHeldOut),
            Prompt(unknownTrain, unknownHeldOut)
        );

        double Full(Demonstration[] shown, Problem[] asked) => Best(shown, asked, (Copy, 3e-3));

        // An instruction without a name, or any characters, are the starts.
        double Prompt(Demonstration[] shown, Problem[] asked) =>
            Best(
                shown,
                asked,
                (() => new SoftPromptLm(model, PromptTable.FromTokens(model, TaskMixture.Tokenizer.Encode("."), Length)), 0.3),
                (() => new SoftPromptLm(model, PromptTable.FromVocabulary(model, Length, seed)), 0.1)
            );

        double PTuning(Demonstration[] shown, Problem[] asked) =>
            Best(
                shown,
                asked,
                (() => new SoftPromptLm(model, new LstmPromptEncoder(Length, width, Math.Max(16, width), 2, 0, seed)), 1e-2),
                (() => new SoftPromptLm(model, new MlpPromptEncoder(Length, width, 64, seed)), 3e-3)
            );

        CausalLm Copy()
        {
            var copy = model.Copy();
            foreach (var parameter in copy.parameters())
                parameter.requires_grad = true;
            return copy;
        }

        // Of several starts and rates the one with the lowest loss in training.
        double Best(Demonstration[] shown, Problem[] asked, params (Func<CausalLm> Make, double Rate)[] tries)
        {
            var (lowest, accuracy) = (double.PositiveInfinity, 0.0);
            foreach (var (make, rate) in tries)
            {
                using var tuned = make();
                using var trainer = new SftTrainer(
                    tuned,
                    TaskMixture.Tokenizer,
                    new SftOptions
                    {
                        Steps = steps,
                        BatchSize = 32,
                        LearningRate = rate,
                        WarmupSteps = steps / 10,
                        Schedule = LearningRateSchedule.Cosine,
                        Seed = seed,
                    }
                );
                double loss = trainer.Run(shown).Select(report => report.Loss).TakeLast(20).Average();
                if (loss >= lowest)
                    continue;
                (lowest, accuracy) = (loss, TaskMixture.Accuracy(tuned, asked));
            }
            return accuracy;
        }
    }
}
