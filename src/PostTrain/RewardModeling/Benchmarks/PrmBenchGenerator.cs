using PostTrain.Numerics;

namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>PRMBench's nine kinds of faulty solutions, made of derivations in arithmetic whose faults are known by construction.</summary>
/// <remarks>
/// A question asks for some operations on whole numbers; a solution has one equation an operation, and the answer. One place is spoiled:
/// <list type="bullet">
/// <item>redundancy: a further step adds 0;</item>
/// <item>circular logic: two further steps undo the one before them, which gives what that came from, and make it again;</item>
/// <item>counterfactual: the result of a step is false by at most 9;</item>
/// <item>step contradiction: a step starts from another number than the result before it;</item>
/// <item>domain inconsistency: a step reckons modulo a number;</item>
/// <item>confidence: a step is said to be certain and its result is false by at least 10;</item>
/// <item>missing condition: the question leaves out the number that a step uses;</item>
/// <item>deception: two digits of a step's result are exchanged, or one is off by one;</item>
/// <item>multiple solutions: an addition is made in two steps; nothing is wrong.</item>
/// </list>
/// Only what is spoiled or added is labelled wrong. What follows goes on from its result correctly and is labelled right, as a step is
/// judged by
/// what it follows from.
/// </remarks>
public static class PrmBenchGenerator
{
    private const int Operations = 4;

    /// <summary>Makes records of one category.</summary>
    /// <param name="category">Kind of the fault.</param>
    /// <param name="count">Number of records, at least 1.</param>
    /// <param name="seed">The same seed gives the same records, and records of two categories the same derivations.</param>
    public static IReadOnlyList<PrmBenchRecord> Create(PrmBenchCategory category, int count, ulong seed)
    {
        Guard.AtLeast(count, 1, nameof(count));
        if (!Enum.IsDefined(category))
            throw new ArgumentOutOfRangeException(nameof(category), category, "category must be one of the enumeration's");
        return [.. Enumerable.Range(0, count).Select(i => Make(category, i, seed))];
    }

    private static PrmBenchRecord Make(PrmBenchCategory category, int index, ulong seed)
    {
        var derivation = ArithmeticDerivation.Draw(Operations, seed, (ulong)index);
        // Behind what the derivation draws, which ends before 64.
        int drawn = 64;
        int place = category switch
        {
            // The addition that can be split is the first.
            PrmBenchCategory.MultipleSolutions => 0,
            // A step contradicts only what stands before it.
            PrmBenchCategory.StepContradiction => Number(1, Operations - 1),
            PrmBenchCategory.Redundancy or PrmBenchCategory.CircularLogic or PrmBenchCategory.MissingCondition => Number(0, Operations - 1),
            // A smaller result must not be taken below 0 by what follows.
            _ => Number(derivation.LastSubtraction ?? 0, Operations - 1),
        };
        var (sign, right) = derivation.Operations[place];
        long left = derivation.Before(place),
            result = ArithmeticDerivation.Apply(left, sign, right);
        var right0 = derivation.Steps();
        IReadOnlyList<string> steps = category switch
        {
            PrmBenchCategory.Redundancy => Inserted(ArithmeticDerivation.Equation(result, '+', 0, result)),
            PrmBenchCategory.CircularLogic => Inserted(ArithmeticDerivation.Equation(result, Inverse(sign), right, left), right0[place]),
            PrmBenchCategory.Counterfactual => Result("", Off(1, 9)),
            PrmBenchCategory.StepContradiction => Instead(Equation(Other(left), out long contradicting), contradicting),
            PrmBenchCategory.DomainInconsistency => Modulo(Number(3, 9)),
            PrmBenchCategory.Confidence => Result("It is certain that ", Off(10, 99)),
            PrmBenchCategory.MissingCondition => right0,
            PrmBenchCategory.Deception => Result("", Exchanged(result)),
            _ => Split(Number(1, (int)right - 1)),
        };
        int[] wrong = category switch
        {
            PrmBenchCategory.MultipleSolutions => [],
            PrmBenchCategory.Redundancy => [place + 2],
            PrmBenchCategory.CircularLogic => [place + 2, place + 3],
            _ => [place + 1],
        };
        return new PrmBenchRecord(
            $"{PrmBenchRecord.NameOf(category)}_{index}",
            category,
            derivation.Question(category == PrmBenchCategory.MissingCondition ? place : null),
            steps,
            wrong
        )
        {
            OriginalQuestion = derivation.Question(),
            OriginalSteps = right0,
        };

        int Number(int least, int most) => least + CounterRandom.Below(most - least + 1, seed, (ulong)index, (ulong)drawn++);

        IReadOnlyList<string> Inserted(params string[] further) => [.. right0.Take(place + 1), .. further, .. right0.Skip(place + 1)];

        IReadOnlyList<string> Instead(string step, long value) => [.. right0.Take(place), step, .. derivation.From(place + 1, value)];

        IReadOnlyList<string> Result(string opening, long value) =>
            Instead(opening + ArithmeticDerivation.Equation(left, sign, right, value), value);

        IReadOnlyList<string> Modulo(int modulus) => Result($"Modulo {modulus}, ", result % modulus);

        IReadOnlyList<string> Split(int part) =>
            [
                ArithmeticDerivation.Equation(left, '+', part, left + part),
                ArithmeticDerivation.Equation(left + part, '+', right - part, result),
                .. right0.Skip(1),
            ];

        string Equation(long from, out long value)
        {
            value = ArithmeticDerivation.Apply(from, sign, right);
            return ArithmeticDerivation.Equation(from, sign, right, value);
        }

        long Off(int least, int most) => Number(0, 1) == 0 && result >= most ? result - Number(least, most) : result + Number(least, most);

        // Large enough that a subtraction stays at 0 or above.
        long Other(long value) => value + Number(1, 9) * 10;
    }

    private static char Inverse(char sign) =>
        sign switch
        {
            '+' => '-',
            '-' => '+',
            _ => '/',
        };

    // Results have two digits at least.
    private static long Exchanged(long value)
    {
        var (rest, tens, ones) = (value / 100, value / 10 % 10, value % 10);
        return tens == ones || (rest == 0 && ones == 0) ? value + (ones == 9 ? -1 : 1) : rest * 100 + ones * 10 + tens;
    }
}
