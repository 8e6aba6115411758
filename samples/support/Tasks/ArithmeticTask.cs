using System.Globalization;
using PostTrain.Data;
using PostTrain.Refinement;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>Sums of two three-digit numbers, and the careless notes on them that the base model is trained on.</summary>
/// <remarks>
/// A prompt is <c>347+285=</c>. The base model reads three kinds of notes: a bare guess, a guess between answer tags, and a sum
/// worked out column by column, each column with its slips. It has seen good work but seldom does it; reinforcement learning
/// from a verifiable reward is what makes it work every sum out, and without slips.
/// </remarks>
public static class ArithmeticTask
{
    private const double BareGuess = 0.40,
        TaggedGuess = 0.30,
        RightGuess = 0.15,
        Slip = 0.15;

    /// <summary>Characters and tags; the model's vocabulary.</summary>
    public static CharacterTokenizer Tokenizer() =>
        new("0123456789+=;", ["<pad>", "<eos>", "<think>", "</think>", "<answer>", "</answer>"]);

    /// <summary>Different sums, none of which is in the other half: <paramref name="heldOut"/> says which half.</summary>
    public static IReadOnlyList<Problem> Problems(int count, bool heldOut, ulong seed)
    {
        var random = new Random((int)(seed * 2 + (heldOut ? 1u : 0u)));
        var chosen = new HashSet<(int, int)>();
        while (chosen.Count < count)
        {
            var (a, b) = (random.Next(100, 1000), random.Next(100, 1000));
            if (IsHeldOut(a, b) == heldOut)
                chosen.Add((a, b));
        }
        return [.. chosen.Select(pair => new Problem(Prompt(pair.Item1, pair.Item2), Text(pair.Item1 + pair.Item2)))];
    }

    /// <summary>The sum of a prompt such as <c>347+285=</c>, with its answer.</summary>
    public static Problem Problem(string prompt)
    {
        var problem = new Problem(prompt);
        var (a, b) = Terms(problem);
        return problem with { Answer = Text(a + b) };
    }

    /// <summary>Notes on sums that are not held out.</summary>
    public static IReadOnlyList<Demonstration> Notes(int count, ulong seed)
    {
        var random = new Random((int)seed);
        var notes = new List<Demonstration>(count);
        while (notes.Count < count)
        {
            var (a, b) = (random.Next(100, 1000), random.Next(100, 1000));
            if (!IsHeldOut(a, b))
                notes.Add(new Demonstration(Prompt(a, b), Note(a, b, random)));
        }
        return notes;
    }

    /// <summary>Sums that are worked out without a slip, one for each problem: what supervised fine-tuning is shown.</summary>
    public static IReadOnlyList<Demonstration> Solutions(IEnumerable<Problem> problems) =>
        [.. problems.Select(problem => new Demonstration(problem.Prompt, Solution(problem)))];

    /// <summary>A solution of each problem, preferred to a wrong note on it such as the base model writes.</summary>
    public static IReadOnlyList<PreferencePair> Pairs(IEnumerable<Problem> problems, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problems);
        var random = new Random((int)seed);
        return [.. problems.Select(problem => new PreferencePair(problem.Prompt, Solution(problem), WrongNote(problem, random)))];
    }

    /// <summary>Sums that are worked out with a slip now and then, one for each problem: how a hasty teacher shows them.</summary>
    public static IReadOnlyList<Demonstration> Drafts(IEnumerable<Problem> problems, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problems);
        var random = new Random((int)seed);
        return [.. problems.Select(problem => new Demonstration(problem.Prompt, Draft(problem, random)))];
    }

    /// <summary>A solution of each problem, preferred to a draft of it with slips: both look alike, only the arithmetic differs.</summary>
    public static IReadOnlyList<PreferencePair> DraftPairs(IEnumerable<Problem> problems, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(problems);
        var random = new Random((int)seed);
        return
        [
            .. problems.Select(problem =>
            {
                string solution = Solution(problem),
                    draft;
                do draft = Draft(problem, random);
                while (draft == solution);
                return new PreferencePair(problem.Prompt, solution, draft);
            }),
        ];
    }

    /// <summary>True if a completion has the right answer between the tags.</summary>
    public static bool IsRight(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        return IsRight(completion.Text, completion.Problem.Answer);
    }

    // One pair in ten, by a fixed rule that depends on no seed and on nothing that a sum depends on: a hash of the pair.
    private static bool IsHeldOut(int a, int b)
    {
        uint hash = unchecked((uint)(a * 1000 + b) * 2654435761u);
        hash ^= hash >> 15;
        return (unchecked(hash * 2246822519u) >> 16) % 10 == 0;
    }

    private static bool IsRight(string text, string? answer) =>
        AnswerExtraction.Extract(text, AnswerPlaces.Tags) is { } given
        && answer is not null
        && AnswerEquivalence.AreEquivalent(given, answer);

    private static (int A, int B) Terms(Problem problem)
    {
        var terms = problem.Prompt.Text.TrimEnd('=').Split('+');
        return (int.Parse(terms[0], CultureInfo.InvariantCulture), int.Parse(terms[1], CultureInfo.InvariantCulture));
    }

    private static string Solution(Problem problem)
    {
        var (a, b) = Terms(problem);
        return WorkedOut(a, b, new Random(0), slip: 0);
    }

    private static string Draft(Problem problem, Random random)
    {
        var (a, b) = Terms(problem);
        return WorkedOut(a, b, random);
    }

    private static string WrongNote(Problem problem, Random random)
    {
        var (a, b) = Terms(problem);
        string note;
        do note = Note(a, b, random);
        while (IsRight(note, problem.Answer));
        return note;
    }

    private static string Prompt(int a, int b) => $"{Text(a)}+{Text(b)}=";

    private static string Note(int a, int b, Random random)
    {
        double kind = random.NextDouble();
        if (kind < BareGuess)
            return Guess(a + b, random);
        return kind < BareGuess + TaggedGuess ? $"<answer>{Guess(a + b, random)}</answer>" : WorkedOut(a, b, random);
    }

    private static string Guess(int sum, Random random) => Text(random.NextDouble() < RightGuess ? sum : sum + random.Next(-200, 201));

    // Columns from the right: digit + digit + carry = total; a slip gives a total that is off, and the carry goes on from it.
    private static string WorkedOut(int a, int b, Random random, double slip = Slip)
    {
        var columns = new List<string>();
        int carry = 0,
            result = 0,
            place = 1;
        for (int column = 0; column < 3; column++, place *= 10)
        {
            int left = a / place % 10,
                right = b / place % 10;
            int total = random.NextDouble() < slip ? random.Next(0, 20) : left + right + carry;
            columns.Add($"{left}+{right}+{carry}={total}");
            result += total % 10 * place;
            carry = total / 10;
        }
        result += carry * place;
        return $"<think>{string.Join(';', columns)}</think><answer>{Text(result)}</answer>";
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
