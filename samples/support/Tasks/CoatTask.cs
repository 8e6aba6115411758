using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Refinement.Restarts;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>Sums modulo ten of a digit and three numbers up to three, worked out in three steps: <c>8+3+2+0=</c> is answered by
/// <c>8+3=1;1+2=3;3+0=3</c>. Steps can be wrong, and a later step can repair them.</summary>
/// <remarks>With meta-actions each step begins with one: <c>continue</c> takes the next number, <c>reflect</c> makes the last step again,
/// <c>explore</c> begins with the first step again. A text is right if its last result is.</remarks>
public static class CoatTask
{
    private const int Digits = 4,
        Addends = 4,
        Sums = 10 * Addends * Addends * Addends;

    /// <summary>Digits, signs, and the marks of graded steps.</summary>
    public static CharacterTokenizer Tokenizer() => new("0123456789+=;.!");

    /// <summary>A decoder with a random start.</summary>
    public static Decoder Model(ulong seed, int width = 64) =>
        Decoder.Create(SmallDecoder.Untied(Tokenizer(), context: 96, width, inner: 2 * width), seed);

    /// <summary>Different problems; about one in four of the 640 is held out by a fixed rule, and <paramref name="heldOut"/> says which
    /// part is drawn.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many: 158 are held out, 482 are not.</exception>
    public static IReadOnlyList<Problem> Problems(int count, bool heldOut, ulong seed)
    {
        int available = Enumerable.Range(0, Sums).Count(number => IsHeldOut(number) == heldOut);
        if (count < 0 || count > available)
            throw new ArgumentOutOfRangeException(nameof(count), count, $"count is {count}, expected 0 to {available}");
        var random = new Random((int)seed);
        var chosen = new HashSet<int>();
        while (chosen.Count < count)
        {
            int number = random.Next(Sums);
            if (IsHeldOut(number) == heldOut)
                chosen.Add(number);
        }
        return
        [
            .. chosen.Select(number =>
            {
                int[] digits =
                [
                    number / (Addends * Addends * Addends),
                    number / (Addends * Addends) % Addends,
                    number / Addends % Addends,
                    number % Addends,
                ];
                return new Problem($"{string.Join('+', digits.Select(Text))}=", Text(digits.Sum() % 10));
            }),
        ];
    }

    /// <summary>Problems several times over, for notes with other slips each time.</summary>
    public static IReadOnlyList<Problem> Repeated(IReadOnlyList<Problem> problems, int times) =>
        [.. Enumerable.Repeat(problems, times).SelectMany(all => all)];

    /// <summary>Graded notes on problems: <c>8+3=1;.1+2=4;!4+0=4;.</c>. Each step has another result with the given probability, and the
    /// next goes on from it. Behind a right step stands a dot, behind a wrong one an exclamation mark.</summary>
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
                {
                    int before = value;
                    value = Result(before, digits[place], slip, random);
                    steps.Add($"{Step(before, digits[place], value)};{Mark(before, digits[place], value)}");
                }
                return new Demonstration(problem.Prompt, string.Concat(steps));
            }),
        ];
    }

    /// <summary>Single steps and their marks: <c>3+2=5;</c> is answered by <c>.</c> and <c>3+2=7;</c> by <c>!</c>. Half are
    /// right.</summary>
    public static IReadOnlyList<Demonstration> GradedSteps(int count, ulong seed)
    {
        var random = new Random((int)seed);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                {
                    int left = random.Next(10),
                        right = random.Next(Addends),
                        result = Result(left, right, 0.5, random);
                    return new Demonstration(Step(left, right, result) + ";", Mark(left, right, result));
                }),
        ];
    }

    /// <summary>Texts of the base model: graded notes with slips of a quarter, and as many graded steps.</summary>
    public static IReadOnlyList<Demonstration> BaseTexts(ulong seed) =>
        [.. Notes(Repeated(Problems(450, false, seed), 30), slip: 0.25, seed), .. GradedSteps(13_500, seed)];

    /// <summary>Demonstrations of the format: of the wrong steps some are noticed, and made again or the whole begun again.</summary>
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
                    if (!isWrong || random.NextDouble() >= notices)
                        continue;
                    if (random.NextDouble() < beginsAgain)
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

    private static bool IsHeldOut(int number) => (unchecked((uint)number * 2654435761u) >> 16) % 4 == 0;

    private static int[] DigitsOf(Problem problem) =>
        [
            .. problem
                .Prompt.Text[..problem.Prompt.Text.IndexOf('=', StringComparison.Ordinal)]
                .Split('+')
                .Select(text => int.Parse(text, CultureInfo.InvariantCulture)),
        ];

    private static int Result(int left, int right, double slip, Random random) =>
        random.NextDouble() < slip ? (left + right + random.Next(1, 10)) % 10 : (left + right) % 10;

    private static string Mark(int left, int right, int result) => result == (left + right) % 10 ? "." : "!";

    private static string Step(int left, int right, int result) => $"{Text(left)}+{Text(right)}={Text(result)}";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
