using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Samples.Support;

/// <summary>Eight ways to write three digits down again, and a base model that does the one whose letter is before the digits.</summary>
/// <remarks>A prompt is <c>..c....472=</c>: an instruction of one to eight characters, of which one names the task and the others mean
/// nothing, then the digits. Without an instruction the base cannot know the task: choosing it is what a soft prompt can learn.</remarks>
public static class TaskMixture
{
    /// <summary>Letters of the tasks that the base learns.</summary>
    public const string Names = "abcdefgh";

    /// <summary>A task that the base does not know: each digit becomes another by a table, so that the answer is no copy.</summary>
    public const char Unknown = 'x';

    /// <summary>Most characters of an instruction.</summary>
    public const int Longest = 8;

    private const string Table = "3705194826";

    // Which digit stands at each place of the answer.
    private static readonly string[] Patterns = ["012", "210", "120", "201", "021", "102", "000", "222"];
    private const int Inputs = 1000;

    /// <summary>Digits, letters and signs.</summary>
    public static CharacterTokenizer Tokenizer { get; } = new($"0123456789=.{Names}", ["<pad>", "<eos>"]);

    /// <summary>The answer of a task to three digits.</summary>
    public static string Answer(char task, string digits) =>
        task == Unknown
            ? string.Concat(digits.Select(digit => Table[digit - '0']))
            : string.Concat(Patterns[Names.IndexOf(task, StringComparison.Ordinal)].Select(place => digits[place - '0']));

    /// <summary>Examples of a task without an instruction: the first are for training, the others held out.</summary>
    public static (Demonstration[] Train, Problem[] HeldOut) Task(char task, int train, int heldOut, ulong seed)
    {
        var order = new ShuffledOrder(Inputs, seed);
        string[] digits = [.. Enumerable.Range(0, train + heldOut).Select(i => Digits(order[i]))];
        return (
            [.. digits.Take(train).Select(x => new Demonstration($"{x}=", Answer(task, x)))],
            [.. digits.Skip(train).Select(x => new Problem($"{x}=", Answer(task, x)))]
        );
    }

    /// <summary>Examples of all tasks with instructions.</summary>
    public static Demonstration[] Mixture(int count, ulong seed)
    {
        var random = new Random((int)seed);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                {
                    char task = Names[random.Next(Names.Length)];
                    string digits = Digits(random.Next(Inputs));
                    return new Demonstration($"{Instruction(task, random)}{digits}=", Answer(task, digits));
                }),
        ];
    }

    /// <summary>The problems of a task with an instruction that names it.</summary>
    public static Problem[] Named(char task, IEnumerable<Problem> problems, ulong seed)
    {
        var random = new Random((int)seed);
        return [.. problems.Select(problem => problem with { Prompt = Instruction(task, random) + problem.Prompt })];
    }

    /// <summary>Trains a base on the mixture.</summary>
    /// <param name="width">Width of the model, two layers.</param>
    /// <param name="steps">Steps of 64 examples.</param>
    /// <param name="seed">Of the start and of the data.</param>
    /// <param name="reports">Takes the steps' reports.</param>
    public static Decoder Base(int width, int steps, ulong seed, Action<StepReport>? reports = null)
    {
        var model = Decoder.Create(
            SmallDecoder.Of(Tokenizer, context: 24, width, inner: 4 * width) with
            {
                Heads = Math.Max(2, width / 16),
            },
            seed
        );
        using var trainer = new SftTrainer(
            model,
            Tokenizer,
            new SftOptions
            {
                Steps = steps,
                BatchSize = 64,
                LearningRate = 8e-3 * Math.Min(1, Math.Sqrt(8.0 / width)),
                WarmupSteps = steps / 20,
                Schedule = LearningRateSchedule.Cosine,
                Seed = seed,
            }
        );
        foreach (var report in trainer.Run(Mixture(16 * 1024, seed)))
            reports?.Invoke(report);
        return model;
    }

    /// <summary>Trains a base, writes it, and returns it with the data of one of its tasks, without the name of the task.</summary>
    /// <param name="run">The run.</param>
    /// <param name="baseSteps">Steps of the base's training.</param>
    public static (Subject Subject, TaskData Data) Toy(SampleRun run, int baseSteps)
    {
        ArgumentNullException.ThrowIfNull(run);
        string folder = run.PathOf("base");
        using (var model = Base(32, baseSteps, run.Seed + 1))
            PostTrain.Models.Pretrained.Save(model, Tokenizer, folder);
        var subject = Subject.Load(folder, isToy: true, run.Type, run.PaddingFree) with
        {
            ToyName = "a base that knows eight tasks by name",
        };
        var (train, heldOut) = Task('b', 300, Math.Min(run.HeldOut, 500), run.Seed);
        return (
            subject,
            new TaskData(
                train,
                [.. heldOut.Select(problem => new Demonstration(problem.Prompt, problem.Answer!))],
                heldOut,
                subject.Model.ContextLength
            )
            {
                IsRight = answer => answer.Finished && answer.Text == answer.Problem.Answer,
            }
        );
    }

    /// <summary>Share of problems that a model answers rightly by its most likely tokens.</summary>
    /// <param name="model">The model.</param>
    /// <param name="problems">Problems with their answers.</param>
    /// <param name="asked">Their prompts in another form; null for their own.</param>
    public static double Accuracy(CausalLm model, IReadOnlyList<Problem> problems, IReadOnlyList<Problem>? asked = null) =>
        Measure
            .Answers(model, Tokenizer, asked ?? problems, tokens: 5)
            .Zip(problems, (answer, problem) => answer.Finished && answer.Text == problem.Answer ? 1.0 : 0)
            .Average();

    private static string Instruction(char task, Random random)
    {
        var text = new string('.', random.Next(1, Longest + 1)).ToCharArray();
        text[random.Next(text.Length)] = task;
        return new string(text);
    }

    private static string Digits(int number) => number.ToString("D3", System.Globalization.CultureInfo.InvariantCulture);
}
