#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Learning to use a tool: a small model that seldom calls the calculator is trained by GRPO in an environment that answers calls,
// and compared with the same training without the tool.
//   dotnet run -c Release samples/experiments/tools.cs [-- --tool javascript --steps N --base-steps N --output DIR]
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const string Call = "<call>",
    End = "</call>";

var command = new SampleCommand("tools", "A small model learns to call a tool.", steps: 60);
var toolName = command.Option("--tool", "calculator, or javascript in a sandbox.", "calculator");
var baseSteps = command.Option("--base-steps", "Steps of the base model's training on notes.", 600, OptionRange.AtLeast(1));
var batch = command.Option("--batch-size", "Sums in a step.", 16, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        var tool = values.GetValue(toolName) switch
        {
            "calculator" => AIFunctionFactory.Create((string code) => Sum(code), "calculator"),
            "javascript" => JavaScriptTool.Create(),
            var other => throw new ArgumentException($"--tool is '{other}', expected calculator or javascript"),
        };
        var tokenizer = new CharacterTokenizer("0123456789+=;?", ["<pad>", "<eos>", Call, End]);
        // A call is <call>347+285</call>; its result stands behind it as 632; and is not the policy's. The policy reads what is no number
        // as a question mark.
        var format = ToolCallFormat.Of(
            "toy",
            text => Calls(text, tool.Name),
            results => (results[0].IsError || !results[0].Content.All(char.IsAsciiDigit) ? "?" : results[0].Content) + ";"
        );
        var options = new GrpoOptions
        {
            Steps = run.Steps,
            BatchSize = values.GetValue(batch),
            GroupSize = 8,
            LearningRate = 1e-3,
            Schedule = LearningRateSchedule.Linear,
            Seed = run.Seed,
            CompletionObservers = [run.Completions],
            Sampling = new SamplingOptions
            {
                MaxNewTokens = 24,
                StopTokens = [tokenizer.EndOfSequenceId!.Value, tokenizer.Encode(End)[0]],
                SuppressedTokens = [tokenizer.PaddingId],
            },
        };
        var environment = new EnvironmentOptions(new ToolEnvironment([tool], format)) { MaxTurns = 3 };
        var reward = Reward.Of("right", completion => completion.Text == completion.Problem.Answer ? 1 : 0).OfLastTurn();
        var (train, heldOut) = (
            ArithmeticTask.Problems(2000, heldOut: false, run.Seed),
            ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed)
        );

        using var start = Model(tokenizer);
        using (var notes = new SftTrainer(start, tokenizer, Base(values.GetValue(baseSteps), run.Seed)))
            run.Train("base model", values.GetValue(baseSteps), notes.Run(Notes(20_000, run.Seed)), "base");
        Pretrained.Save(start, tokenizer, run.PathOf("base"));

        var rows = new List<(string Name, Proportion Before, Proportion After, double Turns)>();
        foreach (bool isGiven in (bool[])[true, false])
        {
            using var policy = Pretrained.Load(run.PathOf("base"));
            var own = options with { Environment = isGiven ? environment : null };
            using var trainer = new GrpoTrainer(policy, tokenizer, reward, own);
            var before = await RightAsync(trainer, heldOut, run.Cancellation);
            string name = isGiven ? "with the tool" : "without it";
            var reports = await run.TrainAsync(
                name,
                run.Steps,
                trainer.RunAsync(train, cancellation: run.Cancellation),
                isGiven ? "tool" : "alone"
            );
            double turns = reports[^1].Metrics.GetValueOrDefault("completion/turns", 1);
            rows.Add((name, before, await RightAsync(trainer, heldOut, run.Cancellation), turns));
            if (isGiven)
                Pretrained.Save(policy, tokenizer, run.PathOf("model"));
        }

        var table = new ReportTable(
            ["training", "right before", "right after", "turns at the end"],
            [.. rows.Select(row => (string[])[row.Name, row.Before.ToString(), row.After.ToString(), Format.Number(row.Turns, 2)])]
        );
        ConsoleTable.Print(table);
        run.Finish(
            run.Page(
                    "Learning to call a tool",
                    $"Sums of three-digit numbers; the tool is the {tool.Name}. Rewarded: the last turn is the sum."
                )
                .Table("Held-out sums, one sampled answer each", table)
                .Proportions(
                    "Right answers",
                    [
                        new NamedProportion("before, with the tool", rows[0].Before),
                        .. rows.Select(row => new NamedProportion($"after, {row.Name}", row.After)),
                    ]
                ),
            rows.SelectMany(row =>
                    (KeyValuePair<string, object>[])
                        [
                            new($"{row.Name}: before", row.Before.Value),
                            new($"{row.Name}: before_interval", row.Before.Interval()),
                            new($"{row.Name}: after", row.After.Value),
                            new($"{row.Name}: after_interval", row.After.Interval()),
                            new($"{row.Name}: turns", row.Turns),
                        ]
                )
                .Append(new("held_out", heldOut.Count))
                .Append(new("tool", tool.Name))
        );
    }
);

static Decoder Model(CharacterTokenizer tokenizer) => Decoder.Create(SmallDecoder.Of(tokenizer, context: 48), seed: 1);

static SftOptions Base(int steps, ulong seed) =>
    new()
    {
        Steps = steps,
        BatchSize = 64,
        LearningRate = 2e-3,
        WarmupSteps = 20,
        Schedule = LearningRateSchedule.Cosine,
        Seed = seed,
    };

// Two notes in three guess, one in three calls, with a slip in one number of three; and what is made of a result, or of another number.
static IReadOnlyList<Demonstration> Notes(int count, ulong seed)
{
    var random = new Random((int)seed);
    var notes = new List<Demonstration>(count);
    foreach (
        var problem in ArithmeticTask.Problems(2000, heldOut: false, seed).Concat(ArithmeticTask.Problems(2000, heldOut: false, seed + 1))
    )
        for (int i = 0; i < count / 4000; i++)
        {
            string terms = problem.Prompt.Text.TrimEnd('='),
                guess = (int.Parse(problem.Answer!, CultureInfo.InvariantCulture) + random.Next(-100, 101)).ToString(
                    CultureInfo.InvariantCulture
                );
            string slipped = random.Next(3) == 0 ? Slip(terms, random) : terms;
            string shown = random.Next(2) == 0 ? problem.Answer! : guess;
            notes.Add(
                random.Next(3) switch
                {
                    0 => new Demonstration(problem.Prompt, Call + slipped + End),
                    1 => new Demonstration(problem.Prompt, guess),
                    _ => random.Next(2) == 0
                        ? new Demonstration(problem.Prompt, guess)
                        : new Demonstration(problem.Prompt + Call + slipped + End + shown + ";", random.Next(4) == 0 ? guess : shown),
                }
            );
        }
    return notes;
}

static string Slip(string terms, Random random)
{
    var digits = terms.ToCharArray();
    int place;
    do place = random.Next(digits.Length);
    while (digits[place] == '+');
    digits[place] = (char)('0' + random.Next(1, 10));
    return new string(digits);
}

static IReadOnlyList<ToolCall> Calls(string text, string tool)
{
    int start = text.IndexOf(Call, StringComparison.Ordinal),
        end = text.IndexOf(End, StringComparison.Ordinal);
    if (start < 0 || end < start)
        return [];
    return [new ToolCall(tool, JsonSerializer.SerializeToElement(new { code = text[(start + Call.Length)..end] }))];
}

static string Sum(string code) =>
    code.Split('+').Sum(term => long.Parse(term, NumberStyles.None, CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture);

static async Task<Proportion> RightAsync(GrpoTrainer trainer, IReadOnlyList<Problem> problems, CancellationToken cancellation)
{
    var metrics = await trainer.EvaluateAsync(problems, cancellation);
    return new Proportion((int)Math.Round(metrics["eval/reward/mean"] * problems.Count), problems.Count);
}
