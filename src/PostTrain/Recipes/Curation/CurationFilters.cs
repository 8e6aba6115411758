using System.Globalization;
using PostTrain.Data;
using PostTrain.Data.Curation;
using PostTrain.Numerics;
using PostTrain.Rewards;

namespace PostTrain.Recipes;

/// <summary>Steps of curation that need rewards or a policy's solve rates.</summary>
public static class CurationFilters
{
    /// <summary>Removes records with too small a share of letters of the wanted scripts.</summary>
    /// <remarks>Tells scripts apart, not languages. A text without letters stays.</remarks>
    /// <typeparam name="T">The record's type.</typeparam>
    /// <param name="set">The set.</param>
    /// <param name="scripts">At least one script.</param>
    /// <param name="least">Least share, 0 to 1; 0.9 by default.</param>
    public static CurationSet<T> InScripts<T>(this CurationSet<T> set, WritingScripts scripts, double least = 0.9)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(set);
        Guard.Fraction(least, nameof(least));
        if (scripts == WritingScripts.None || (scripts & ~WritingScripts.All) != 0)
            throw new ArgumentOutOfRangeException(nameof(scripts), scripts, "scripts must name at least one script and only known ones");
        return set.Without(
            $"scripts {scripts}",
            value =>
                TextMeasures.ScriptShare(set.TextOf(value), scripts) is var share && share < least
                    ? string.Create(CultureInfo.InvariantCulture, $"{share:P0} of its letters")
                    : null
        );
    }

    /// <summary>Reformulates multiple choice and removes what does not meet Big-Math's three criteria.</summary>
    /// <param name="set">The set.</param>
    public static CurationSet<Problem> Suitable(this CurationSet<Problem> set)
    {
        ArgumentNullException.ThrowIfNull(set);
        return set.Changed("multiple choice", MathProblems.Reformulated)
            .Without(
                "verifiable, open-ended, closed-form",
                problem => MathProblems.Judge(problem) is { IsSuitable: false } verdict ? verdict.Reason : null
            );
    }

    /// <summary>Notes the solve rates, adds them as the field <c>solve_rate</c>, and removes problems outside of a band.</summary>
    /// <param name="set">The set.</param>
    /// <param name="rates">Rates of its problems, one each in their order, of <see cref="SolveRates.MeasureAsync"/>.</param>
    /// <param name="least">Least rate, 0 to 1.</param>
    /// <param name="most">Greatest rate, at least <paramref name="least"/>.</param>
    /// <exception cref="ArgumentException">The rates are not those of the set's problems.</exception>
    public static CurationSet<Problem> WithSolveRates(
        this CurationSet<Problem> set,
        IReadOnlyList<SolveRate> rates,
        double least = 0,
        double most = 1
    )
    {
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(rates);
        if (!set.Values.SequenceEqual(rates.Select(rate => rate.Problem)))
            throw new ArgumentException($"rates are of other problems than the set's {set.Records.Count}", nameof(rates));
        var kept = SolveRates.Band(rates, least, most).ToHashSet(ReferenceEqualityComparer.Instance);
        int noted = 0,
            annotated = 0,
            judged = 0;
        return set.Noted("solve rate", _ => rates[noted++].Rate.ToString())
            .Changed("solve rate as a field", _ => rates[annotated++].Annotated)
            .Without(
                string.Create(CultureInfo.InvariantCulture, $"solve rate {least} to {most}"),
                _ => kept.Contains(rates[judged++]) ? null : "outside of the band"
            );
    }
}
