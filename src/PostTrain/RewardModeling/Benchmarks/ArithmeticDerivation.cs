using System.Globalization;
using PostTrain.Numerics;

namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>A question of some operations on whole numbers, and the steps that answer it: each goes on from the result before.</summary>
/// <param name="First">The first number.</param>
/// <param name="Operations">Operator, right operand; results are from 0 on.</param>
internal sealed record ArithmeticDerivation(long First, IReadOnlyList<(char Operator, long Right)> Operations)
{
    /// <summary>Draws a derivation: the first operation is an addition of at least 2, the others are any of three.</summary>
    public static ArithmeticDerivation Draw(int operations, ulong seed, ulong index)
    {
        ulong drawn = 0;
        long first = Number(10, 60),
            value = first;
        var steps = new List<(char, long)>(operations);
        for (int i = 0; i < operations; i++)
        {
            var (sign, right) = (i == 0 ? 0 : Number(0, 2)) switch
            {
                0 => ('+', Number(2, 60)),
                1 when value > 20 => ('-', Number(2, (int)Math.Min(60, value - 10))),
                _ => ('*', Number(2, 5)),
            };
            steps.Add((sign, right));
            value = Apply(value, sign, right);
        }
        return new ArithmeticDerivation(first, steps);

        long Number(int least, int most) => least + CounterRandom.Below(most - least + 1, seed, index, drawn++);
    }

    /// <summary>The last operation that makes the value smaller; null if there is none.</summary>
    public int? LastSubtraction =>
        Enumerable.Range(0, Operations.Count).Where(i => Operations[i].Operator == '-').Select(i => (int?)i).LastOrDefault();

    /// <summary>The question; one of its numbers can be left out.</summary>
    public string Question(int? hidden = null)
    {
        var parts = Operations.Select(
            (step, i) =>
                (step.Operator, i == hidden) switch
                {
                    ('+', false) => $"add {Text(step.Right)}",
                    ('-', false) => $"subtract {Text(step.Right)}",
                    (_, false) => $"multiply by {Text(step.Right)}",
                    ('+', true) => "add a number",
                    ('-', true) => "subtract a number",
                    _ => "multiply by a number",
                }
        );
        return $"Start with {Text(First)}; {string.Join("; ", parts)}. What is the result?";
    }

    /// <summary>The right steps and the answer.</summary>
    public IReadOnlyList<string> Steps() => From(0, First);

    /// <summary>The steps from an operation on, computed from a value, and the answer.</summary>
    public IReadOnlyList<string> From(int operation, long value)
    {
        var steps = new List<string>();
        foreach (var (sign, right) in Operations.Skip(operation))
        {
            steps.Add(Equation(value, sign, right, Apply(value, sign, right)));
            value = Apply(value, sign, right);
        }
        steps.Add($"The answer is {Text(value)}.");
        return steps;
    }

    /// <summary>The value before an operation.</summary>
    public long Before(int operation) =>
        Operations.Take(operation).Aggregate(First, (value, step) => Apply(value, step.Operator, step.Right));

    public static string Equation(long left, char sign, long right, long result) => $"{Text(left)} {sign} {Text(right)} = {Text(result)}";

    public static long Apply(long left, char sign, long right) =>
        sign switch
        {
            '+' => checked(left + right),
            '-' => left - right,
            _ => checked(left * right),
        };

    public static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
