using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Refinement.Restarts;
using PostTrain.Rewards;
using PostTrain.Text;

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
        Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Tokenizer().VocabularySize,
                ContextLength = 96,
                HiddenSize = width,
                Layers = 3,
                Heads = 4,
                FeedForwardSize = 2 * width,
                TiedEmbeddings = false,
            },
            seed
        );

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
