#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Prompt tuning, P-tuning and P-Tuning v2 against full fine-tuning on bases of several widths, paired over seeds: a base knows eight
// tasks by name, and a prompt has to choose one of them without its name. The controls: no training, and a task that the base does not
// know.
//   dotnet run -c Release samples/experiments/prompt-width.cs [-- --seeds N --seed N --widths 8,16,32 --base-steps N --steps N]
using System.Globalization;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const double margin = 0.05;
var command = new SampleCommand("prompt-width", "Compares soft prompts with full fine-tuning over the width of the base.", steps: 400);
var seeds = command.Option("--seeds", "Number of paired seeds, at least 2; the first is that of --seed plus 1.", 5, OptionRange.AtLeast(2));
var widthList = command.Option("--widths", "Widths of the bases, multiples of 2, rising.", "8,16,32");
var baseSteps = command.Option("--base-steps", "Steps of a base's training.", 4000, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    (run, values) =>
    {
        int[] widths = [.. values.GetValue(widthList)!.Split(',').Select(width => int.Parse(width, CultureInfo.InvariantCulture))];
        int pairs = values.GetValue(seeds);
        ArmTable known = new(PromptChoice.Tuning),
            unknown = new(PromptChoice.Tuning);
        var accuracies = new List<(int Width, IReadOnlyDictionary<string, double> Right)>();
        for (int i = 0; i < pairs * widths.Length; i++)
        {
            int width = widths[i % widths.Length];
            ulong seed = run.Seed + (ulong)(i / widths.Length) + 1;
            using var cell = new PromptChoice(TaskMixture.Base(width, values.GetValue(baseSteps), seed), run.Steps, seed, run.Cancellation);
            var (right, other) = (cell.Known(), cell.Unknown());
            foreach (var (arm, accuracy) in right)
                known.Add(arm, $"width {width}", accuracy);
            foreach (var (arm, accuracy) in other)
                unknown.Add(arm, $"width {width}", accuracy);
            accuracies.Add((width, right));
            Console.WriteLine($"seed {seed}, width {width}: {Text(right)}; unknown task: {Text(other)}");
            var metrics = new Dictionary<string, double>(cell.Tries) { ["seed"] = seed, ["width"] = width };
            run.Log(new StepReport(i + 1, right[PromptChoice.Full] - right[PromptChoice.Tuning], metrics, TimeSpan.Zero));
        }

        known.Print();
        unknown.Print();
        var closing = PairedTest.Of(Less(PromptChoice.Full, widths[^1]), Less(PromptChoice.Full, widths[0]));
        string[] readings =
        [
            .. widths.Select(width =>
                $"Width {width}: prompt tuning less full fine-tuning {Verdict([.. Less(PromptChoice.Full, width).Select(gap => -gap)])}; "
                + $"P-tuning less prompt tuning {Verdict(Less(PromptChoice.Lstm, width))} (LSTM), "
                + $"{Verdict(Less(PromptChoice.Mlp, width))} (MLP)."
            ),
            string.Create(
                CultureInfo.InvariantCulture,
                $"From width {widths[0]} to {widths[^1]} the gap to full fine-tuning changes by {closing} (p {closing.PValue:G2}, smaller "
                    + $"in {closing.Losses} of {closing.Pairs} seeds). All are accuracies on held-out inputs with Student's 95 % intervals "
                    + $"over {pairs} seeds; not behind means that the interval's lower end is above -{margin}."
            ),
        ];
        foreach (string reading in readings)
            Console.WriteLine(reading);
        var page = run.Page(
                "Prompt tuning by the width of the base",
                "Each base learns eight tasks that an instruction names. Every method gets examples of one of them without its name, and "
                    + "of four starts and rates the one with the lowest loss on examples that are neither trained on nor reported."
            )
            .Table("Accuracy on held-out inputs", known.Means)
            .Table("Differences", known.Differences)
            .Table("A task that the base does not know", unknown.Means);
        foreach (string reading in readings)
            page.Paragraph(reading);
        run.Finish(
            page,
            [
                .. known.Summary,
                .. unknown.Summary.Select(item => KeyValuePair.Create($"unknown: {item.Key}", item.Value)),
                new("gap_change", closing.Difference.Mean),
                new("gap_change_interval", closing.Difference.Interval),
            ]
        );
        return Task.CompletedTask;

        double[] Less(string arm, int width) =>
            [.. accuracies.Where(cell => cell.Width == width).Select(cell => cell.Right[arm] - cell.Right[PromptChoice.Tuning])];

        static string Verdict(double[] differences) =>
            Estimate.Of(differences) is var estimate && estimate.Interval[0] > -margin
                ? $"{estimate}, not behind"
                : $"{estimate}, not shown to keep up";

        static string Text(IReadOnlyDictionary<string, double> arms) =>
            string.Join(", ", arms.Select(arm => string.Create(CultureInfo.InvariantCulture, $"{arm.Key} {arm.Value:F3}")));
    }
);

/// <summary>What each way to tune a base reaches. Owns the base.</summary>
internal sealed class PromptChoice(Decoder model, int steps, ulong seed, CancellationToken cancellation) : IDisposable
{
    public const string Full = "full fine-tuning",
        Tuning = "prompt tuning",
        Lstm = "P-tuning, LSTM",
        Mlp = "P-tuning, MLP";

    private const int Examples = 300,
        Choosing = 100,
        HeldOut = 300,
        Length = TaskMixture.Longest;

    private readonly Dictionary<string, double> tries = [];

    /// <summary>The accuracy of each start and rate.</summary>
    public IReadOnlyDictionary<string, double> Tries => tries;

    /// <summary>Accuracies on a task that the base knows.</summary>
    public IReadOnlyDictionary<string, double> Known()
    {
        char task = TaskMixture.Names[(int)(seed % (ulong)TaskMixture.Names.Length)];
        var data = Data(task);
        using var untrained = new SoftPromptLm(model, Text());
        return new Dictionary<string, double>
        {
            ["base, task named"] = TaskMixture.Accuracy(model, data.Asked, TaskMixture.Named(task, data.Asked, seed)),
            ["base, nothing in front"] = TaskMixture.Accuracy(model, data.Asked),
            ["prompt, untrained"] = TaskMixture.Accuracy(untrained, data.Asked),
            [Full] = Best(Full, data, [1e-3, 3e-3, 1e-2, 3e-2], _ => Copy()),
            [Tuning] = Best(Tuning, data, [0.3, 0.3, 0.3, 0.1], Prompt),
            [Lstm] = Best(Lstm, data, [1e-2, 1e-2, 1e-2, 3e-3], Recurrent),
            [Mlp] = Best(Mlp, data, [1e-2, 1e-2, 1e-2, 3e-3], Perceptron),
            [$"{Lstm}, own start"] = Best("own start", data, [1e-3, 3e-3, 1e-2, 3e-2], i => new SoftPromptLm(model, LstmNetwork(i))),
            ["P-Tuning v2"] = Best("P-Tuning v2", data, [0.03, 0.1, 0.03, 0.1], Prefix),
        };
    }

    /// <summary>Accuracies on the task that it does not know.</summary>
    public IReadOnlyDictionary<string, double> Unknown()
    {
        var data = Data(TaskMixture.Unknown);
        return new Dictionary<string, double>
        {
            [Full] = Best($"unknown, {Full}", data, [1e-3, 3e-3, 1e-2, 3e-2], _ => Copy()),
            [Tuning] = Best($"unknown, {Tuning}", data, [0.3, 0.3, 0.3, 0.1], Prompt),
            [Lstm] = Best($"unknown, {Lstm}", data, [1e-2, 1e-2, 1e-2, 3e-3], Recurrent),
        };
    }

    /// <summary>Disposes the base.</summary>
    public void Dispose() => model.Dispose();

    // The names of all tasks, which favour none, an instruction without a name, and random tokens.
    private PromptTable Start(int i) =>
        i switch
        {
            0 => PromptTable.FromTokens(model, TaskMixture.Tokenizer.Encode(TaskMixture.Names), Length),
            1 => Text(),
            _ => PromptTable.FromVocabulary(model, Length, seed + 1000 * (ulong)i),
        };

    private PromptTable Text() => PromptTable.FromTokens(model, TaskMixture.Tokenizer.Encode("."), Length);

    private SoftPromptLm Prompt(int i) => new(model, Start(i));

    private SoftPromptLm Recurrent(int i) => Started(LstmNetwork(i), i);

    private SoftPromptLm Perceptron(int i) => Started(new MlpPromptEncoder(Length, model.HiddenSize, 64, seed + (ulong)i), i);

    private LstmPromptEncoder LstmNetwork(int i) => new(Length, model.HiddenSize, hiddenSize: 32, layers: 2, dropout: 0, seed + (ulong)i);

    private SoftPromptLm Started(PromptEncoder network, int i)
    {
        using var start = Start(i);
        return new SoftPromptLm(model, network.StartingAt(start));
    }

    private PrefixLm Prefix(int i) =>
        new(
            model,
            i < 2
                ? PrefixLm.FromTokens(model, TaskMixture.Tokenizer.Encode(new string('.', Length)))
                : PromptTable.Random(Length, PrefixLm.WidthFor(model), seed + (ulong)i)
        );

    private Decoder Copy()
    {
        var copy = model.Copy();
        foreach (var parameter in copy.parameters())
            parameter.requires_grad = true;
        return copy;
    }

    private (Demonstration[] Shown, Demonstration[] Chosen, Problem[] Asked) Data(char task)
    {
        var (shown, others) = TaskMixture.Task(task, Examples, Choosing + HeldOut, seed);
        return (
            shown,
            [.. others.Take(Choosing).Select(problem => new Demonstration(problem.Prompt, problem.Answer!))],
            [.. others.Skip(Choosing)]
        );
    }

    // The accuracy of the try with the lowest loss on the examples for choosing.
    private double Best(
        string name,
        (Demonstration[] Shown, Demonstration[] Chosen, Problem[] Asked) data,
        double[] rates,
        Func<int, CausalLm> make
    )
    {
        var (lowest, best) = (double.PositiveInfinity, 0.0);
        for (int i = 0; i < rates.Length; i++)
        {
            using var tuned = make(i);
            using var trainer = new SftTrainer(
                tuned,
                TaskMixture.Tokenizer,
                new SftOptions
                {
                    Steps = steps,
                    BatchSize = 32,
                    LearningRate = rates[i],
                    WarmupSteps = steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Seed = seed,
                }
            );
            _ = trainer.Run(data.Shown, cancellation: cancellation).Last();
            double loss = trainer.Evaluate(data.Chosen)["eval/loss"],
                accuracy = TaskMixture.Accuracy(tuned, data.Asked);
            tries[$"{name}/{i + 1}"] = accuracy;
            if (loss < lowest)
                (lowest, best) = (loss, accuracy);
        }
        return best;
    }
}
