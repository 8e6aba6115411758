using PostTrain.Data;

namespace PostTrain.Refinement.Instructions;

/// <summary>Which of an instruction's generated instances are kept.</summary>
internal static class InstanceFilter
{
    /// <summary>The good ones in their order, and why each of the others is not among them.</summary>
    internal static (IReadOnlyList<InstructionInstance> Kept, IReadOnlyList<SelfInstructRejection> Rejected) Apply(
        IEnumerable<InstructionInstance> instances,
        SelfInstructOptions options
    )
    {
        var (kept, rejected) = (new List<InstructionInstance>(), new List<SelfInstructRejection>());
        foreach (var instance in instances)
        {
            if (Broken(instance, options) is { } reason)
                rejected.Add(reason);
            else if (kept.Contains(instance))
                rejected.Add(SelfInstructRejection.Duplicate);
            else
                kept.Add(instance);
        }
        // Without an input there may be many right outputs; with one, two answers cannot both be trusted.
        if (
            kept.Where(instance => instance.Input.Length > 0)
                .GroupBy(instance => instance.Input, StringComparer.Ordinal)
                .Any(group => group.Skip(1).Any())
        )
            return ([], [.. rejected, .. kept.Select(_ => SelfInstructRejection.Contradiction)]);
        int surplus = Math.Max(0, kept.Count - options.MaxInstances);
        return (kept[..(kept.Count - surplus)], [.. rejected, .. Enumerable.Repeat(SelfInstructRejection.Surplus, surplus)]);
    }

    private static SelfInstructRejection? Broken(InstructionInstance instance, SelfInstructOptions options)
    {
        if (instance.Output.Length == 0)
            return SelfInstructRejection.EmptyOutput;
        if (instance.Input == instance.Output)
            return SelfInstructRejection.Echo;
        if (instance.Input.EndsWith(':') || instance.Output.EndsWith(':'))
            return SelfInstructRejection.Unfinished;
        return Math.Max(instance.Input.Length, instance.Output.Length) > options.MaxInstanceCharacters
            ? SelfInstructRejection.Oversized
            : null;
    }
}
