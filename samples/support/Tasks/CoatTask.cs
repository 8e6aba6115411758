using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Refinement.Restarts;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;

namespace PostTrain.Samples.Support;

/// <summary>Sums of four digits modulo ten, worked out in three steps: <c>3+5+8+2=</c> is answered by <c>3+5=8;8+8=6;6+2=8</c>. Steps can
/// be wrong, and a later step can repair them.</summary>
/// <remarks>With meta-actions each step begins with one: <c>continue</c> takes the next digit, <c>reflect</c> makes the last step again,
/// <c>explore</c> begins with the first step again. A text is right if its last result is.</remarks>
public static class CoatTask
{
    private const int Digits = 4;

    /// <summary>Digits and signs.</summary>
    public static CharacterTokenizer Tokenizer() => new("0123456789+=;");

    /// <summary>A decoder with a random start. To check a step takes a layer more than to make it: its result has to be computed before it
    /// is compared with the given one.</summary>
    public static Decoder Model(ulong seed, int width = 64) =>
        Decoder.Create(SmallDecoder.Untied(Tokenizer(), context: 96, width, inner: 2 * width) with { Layers = 3 }, seed);

    /// <summary>Different problems; one in eight is held out by a fixed rule, and <paramref name="heldOut"/> says which part is
    /// drawn.</summary>
    public static IReadOnlyList<Problem> Problems(int count, bool heldOut, ulong seed)
    {
        var random = new Random((int)seed);
        var chosen = new HashSet<int>();
        while (chosen.Count < count)
        {
            int number = random.Next(10_000);
            if ((unchecked((uint)number * 2654435761u) >> 16) % 8 == 0 == heldOut)
                chosen.Add(number);
        }
        return
        [
            .. chosen.Select(number =>
            {
                int[] digits = [number / 1000, number / 100 % 10, number / 10 % 10, number % 10];
                return new Problem($"{string.Join('+', digits.Select(Text))}=", Text(digits.Sum() % 10));
            }),
        ];
    }

    /// <summary>Plain notes on problems; each step has another result with the given probability, and the next goes on from it.</summary>
    public static IReadOnlyList<Demonstration> Notes(IEnumerable<Problem> problems, double slip, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problems);
        var random = new Random((int)seed);
        return
        [
            .. problems.Select(problem =>
            {
                int[] digits = DigitsOf(problem);
                var steps = new List<string>();
                int value = digits[0];
                for (int place = 1; place < Digits; place++)
                    steps.Add(Step(value, digits[place], value = Result(value, digits[place], slip, random)));
                return new Demonstration(problem.Prompt, string.Join(';', steps));
            }),
        ];
    }

    /// <summary>Demonstrations of the format: of the wrong steps some are noticed, and made again or the whole begun again; some right ones
    /// are made again too.</summary>
    /// <param name="problems">The problems.</param>
    /// <param name="actions">The tokens of the actions.</param>
    /// <param name="notices">Probability that a wrong step is noticed.</param>
    /// <param name="seed">Seed of the notes.</param>
    public static IReadOnlyList<Demonstration> Demonstrations(
        IEnumerable<Problem> problems,
        MetaActions actions,
        double notices,
        ulong seed
    )
    {
        ArgumentNullException.ThrowIfNull(problems);
        ArgumentNullException.ThrowIfNull(actions);
        const double slip = 0.25,
            checks = 0.05,
            beginsAgain = 0.25;
        var random = new Random((int)seed);
        return
        [
            .. problems.Select(problem =>
            {
                int[] digits = DigitsOf(problem);
                var steps = new List<string>();
                int value = digits[0];
                for (int place = 1; place < Digits; place++)
                {
                    int before = value;
                    value = Result(before, digits[place], slip, random);
                    steps.Add(actions.Continue + Step(before, digits[place], value));
                    bool isWrong = value != (before + digits[place]) % 10;
                    if (random.NextDouble() >= (isWrong ? notices : checks))
                        continue;
                    if (isWrong && random.NextDouble() < beginsAgain)
                    {
                        value = digits[0];
                        for (int again = 1; again <= place; again++)
                            steps.Add(
                                (again == 1 ? actions.Explore : actions.Continue)
                                    + Step(value, digits[again], value = (value + digits[again]) % 10)
                            );
                    }
                    else
                    {
                        value = (before + digits[place]) % 10;
                        steps.Add(actions.Reflect + Step(before, digits[place], value));
                    }
                }
                return new Demonstration(problem.Prompt, string.Join(';', steps));
            }),
        ];
    }

    /// <summary>Problems whose prompts go on with steps up to one, right but for that one, which is wrong if
    /// <paramref name="wrong"/>.</summary>
    public static IReadOnlyList<Problem> Planted(IEnumerable<Problem> problems, MetaActions actions, bool wrong, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problems);
        ArgumentNullException.ThrowIfNull(actions);
        var random = new Random((int)seed);
        return
        [
            .. problems.Select(problem =>
            {
                int[] digits = DigitsOf(problem);
                int last = random.Next(1, Digits),
                    value = digits[0];
                var steps = new List<string>();
                for (int place = 1; place <= last; place++)
                    steps.Add(
                        actions.Continue
                            + Step(value, digits[place], value = Result(value, digits[place], wrong && place == last ? 1 : 0, random))
                    );
                return problem with { Prompt = problem.Prompt + string.Join(';', steps) };
            }),
        ];
    }

    /// <summary>1 if the last result of prompt and completion is the sum, else 0.</summary>
    public static IReward Right { get; } = Reward.Of("right", completion => IsRight(completion) ? 1 : 0);

    /// <summary>Returns true if the last result of prompt and completion is the sum.</summary>
    public static bool IsRight(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        string text = completion.Problem.Prompt + completion.Text;
        int equals = text.LastIndexOf('=');
        // The question's own sign is not a result.
        return completion.Finished
            && equals > text.IndexOf('=', StringComparison.Ordinal)
            && text[(equals + 1)..] == completion.Problem.Answer;
    }

    private static int[] DigitsOf(Problem problem) =>
        [
            .. problem
                .Prompt.Text[..problem.Prompt.Text.IndexOf('=', StringComparison.Ordinal)]
                .Split('+')
                .Select(text => int.Parse(text, CultureInfo.InvariantCulture)),
        ];

    private static int Result(int left, int right, double slip, Random random) =>
        random.NextDouble() < slip ? (left + right + random.Next(1, 10)) % 10 : (left + right) % 10;

    private static string Step(int left, int right, int result) => $"{Text(left)}+{Text(right)}={Text(result)}";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One seed of the experiment with meta-actions: format tuning once, then reinforcement learning in several arms from the same
/// start.</summary>
public sealed class CoatRun : IDisposable
{
    private readonly MetaActions actions = new();
    private readonly CoatSettings settings;
    private readonly ulong seed;
    private readonly Decoder tuned;
    private readonly ITokenizer tokenizer;

    /// <summary>Adds the actions to the base model and tunes the format.</summary>
    /// <param name="baseModel">A model that was trained on plain notes.</param>
    /// <param name="settings">Sizes and rates.</param>
    /// <param name="seed">Seed of the data, the order and the draws.</param>
    /// <param name="observe">Takes the reports of a training by its name.</param>
    public CoatRun(Decoder baseModel, CoatSettings settings, ulong seed, Action<string, int, IEnumerable<StepReport>> observe)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(observe);
        (this.settings, this.seed) = (settings, seed);
        (tuned, tokenizer) = actions.AddTo(baseModel, CoatTask.Tokenizer(), seed);
        using var trainer = new SftTrainer(
            tuned,
            tokenizer,
            new SftOptions
            {
                Steps = settings.FormatSteps,
                BatchSize = 64,
                LearningRate = 1e-3,
                WarmupSteps = settings.FormatSteps / 20,
                Schedule = LearningRateSchedule.Cosine,
                Seed = seed,
            }
        );
        observe(
            "format",
            settings.FormatSteps,
            trainer.Run(CoatTask.Demonstrations(CoatTask.Problems(6000, false, seed), actions, settings.Notices, seed))
        );
    }

    /// <summary>Trains a copy with PPO for some rounds. With restarts each round begins with rollouts that are cut, at the cost of one step
    /// of the other arm.</summary>
    /// <param name="restarts">Chooses the restarts that are kept; null for none.</param>
    /// <param name="asksToReflect">True appends the token that asks to reflect, as Satori does; the policy's own choice to reflect is not
    /// trained then. False leaves the choice to the policy.</param>
    /// <param name="observe">Takes the reports of a round.</param>
    /// <returns>The policy, which the caller disposes.</returns>
    public async Task<Decoder> TrainAsync(
        Func<Restart, bool>? restarts,
        bool asksToReflect,
        Func<string, int, IAsyncEnumerable<StepReport>, Task> observe
    )
    {
        ArgumentNullException.ThrowIfNull(observe);
        var policy = tuned.Copy();
        using var critic = ValueHead.WithOwnBody(tuned.Copy(), new HeadOptions { StandardDeviation = 0 });
        var problems = CoatTask.Problems(1000, false, seed + 100);
        for (int round = 0; round < settings.Rounds; round++)
        {
            int steps = settings.Steps + (restarts is null ? 1 : 0);
            IReadOnlyList<Problem> asked = problems;
            var reward = CoatTask.Right;
            if (restarts is not null)
            {
                var drawn = Sampled.Completions(
                    policy,
                    tokenizer,
                    [.. problems.Skip(round * settings.BatchSize).Take(settings.BatchSize)],
                    Sampling,
                    seed * 1000 + (ulong)round
                );
                policy.train();
                var kept = RestartAndExplore
                    .From(
                        drawn,
                        (await CoatTask.Right.ScoreAsync(drawn, RewardContext.None)).Values,
                        new RestartOptions
                        {
                            Marker = asksToReflect ? ";" + actions.Reflect : "",
                            Separator = ";",
                            PerRollout = 2,
                            Seed = seed + (ulong)round,
                        }
                    )
                    .Where(restart =>
                        restarts(restart) && tokenizer.Encode(restart.Problem.Prompt).Length + settings.Tokens < policy.ContextLength
                    )
                    .ToArray();
                reward = reward.WithProgress(kept, settings.Bonus);
                // Half of each: as many problems as restarts.
                asked = [.. problems.Take(Math.Max(1, kept.Length)), .. kept.Select(restart => restart.Problem)];
            }
            using var trainer = new PpoTrainer(
                policy,
                tokenizer,
                reward,
                new PpoOptions
                {
                    Steps = steps,
                    BatchSize = settings.BatchSize,
                    LearningRate = settings.LearningRate,
                    Critic = critic,
                    Reference = tuned,
                    Kl = KlControl.Fixed(0.02),
                    ValueCoefficient = 0.5,
                    CriticWarmupSteps = round == 0 ? 2 : 0,
                    UnfinishedPenalty = 1,
                    Sampling = Sampling,
                    Seed = seed * 100 + (ulong)round,
                }
            );
            await observe($"round{round}", steps, trainer.RunAsync(asked));
        }
        return policy;
    }

    /// <summary>The policy before reinforcement learning.</summary>
    public Decoder Tuned => tuned;

    /// <summary>Measures a policy on held-out problems, one sampled completion each.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="count">Number of problems.</param>
    /// <returns>Names and shares: right answers; after a planted error the share that is reconsidered, and of right answers; after right
    /// steps the same two.</returns>
    public IEnumerable<(string Measure, double Value)> Measure(Decoder policy, int count)
    {
        var problems = CoatTask.Problems(count, true, 1);
        yield return ("right", Share(Draw(problems), CoatTask.IsRight));
        foreach (bool wrong in (bool[])[true, false])
        {
            var drawn = Draw(CoatTask.Planted(problems, actions, wrong, 2));
            string after = wrong ? "after an error" : "after right steps";
            yield return ($"reconsiders {after}", Share(drawn, completion => actions.Reconsiders(completion.Text)));
            yield return ($"right {after}", Share(drawn, CoatTask.IsRight));
        }

        IReadOnlyList<Completion> Draw(IReadOnlyList<Problem> asked) => Sampled.Completions(policy, tokenizer, asked, Sampling, seed);

        static double Share(IReadOnlyList<Completion> drawn, Func<Completion, bool> which) => drawn.Count(which) / (double)drawn.Count;
    }

    /// <summary>Disposes the tuned model.</summary>
    public void Dispose() => tuned.Dispose();

    private SamplingOptions Sampling => new() { MaxNewTokens = settings.Tokens };
}

/// <summary>Sizes and rates of <see cref="CoatRun"/>.</summary>
public sealed record CoatSettings
{
    /// <summary>Steps of format tuning.</summary>
    public int FormatSteps { get; init; } = 600;

    /// <summary>Share of the wrong steps that the demonstrations notice.</summary>
    public double Notices { get; init; } = 0.5;

    /// <summary>Rounds of PPO, each with new restarts.</summary>
    public int Rounds { get; init; } = 2;

    /// <summary>Steps of PPO in a round.</summary>
    public int Steps { get; init; } = 10;

    /// <summary>Completions of a step.</summary>
    public int BatchSize { get; init; } = 64;

    /// <summary>Learning rate of PPO.</summary>
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>Bonus for progress from a restart.</summary>
    public double Bonus { get; init; } = 0.5;

    /// <summary>Most tokens of a completion.</summary>
    public int Tokens { get; init; } = 48;
}
