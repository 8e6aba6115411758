using PostTrain.Distillation;
using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Distillation losses with their gradients, row by row in CPU memory, without an autograd graph.</summary>
/// <remarks>Float32 and float64; computed in float64. Results are fresh, of the student's type, and the same bits for any number of
/// threads; the caller owns them.</remarks>
/// <exception cref="NotSupportedException">The logits are not on the CPU, or of a 16-bit type.</exception>
public static class DistillationKernels
{
    /// <summary>L = agg[τ²·D(softmax(z_T/τ), softmax(z_S/τ))], as <see cref="DistillationLosses.Distill"/>, for every divergence on the
    /// full vocabulary but one of one's own.</summary>
    /// <param name="studentLogits">z_S, [B,T,V].</param>
    /// <param name="teacherLogits">z_T, [B,T,V].</param>
    /// <param name="mask">[B,T]; 1 where the position counts.</param>
    /// <param name="options">Forward KL at temperature 1 when null.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    /// <exception cref="NotSupportedException">The options compare on a part of the vocabulary, or the divergence or the
    /// aggregation is one of one's own.</exception>
    public static TokenLossWithGradient Distill(
        Tensor studentLogits,
        Tensor teacherLogits,
        Tensor mask,
        DistillationObjective? options = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        options ??= new DistillationObjective();
        options.Check();
        ArgumentNullException.ThrowIfNull(mask);
        TokenWeights.Check(aggregation);
        Guard.Rank(studentLogits, nameof(studentLogits), 3, "[B,T,V]");
        Guard.Floating(studentLogits, nameof(studentLogits));
        Guard.Floating(teacherLogits, nameof(teacherLogits));
        KernelGuard.SameShape(teacherLogits, nameof(teacherLogits), studentLogits, nameof(studentLogits));
        if (mask.dim() != 2 || mask.size(0) != studentLogits.size(0) || mask.size(1) != studentLogits.size(1))
            throw new ArgumentException(
                $"mask has shape {Guard.Shape(mask)}, expected studentLogits' shape {Guard.Shape(studentLogits)} without its last "
                    + "dimension",
                nameof(mask)
            );
        if (studentLogits.size(2) == 0)
            throw new ArgumentException(
                $"studentLogits has shape {Guard.Shape(studentLogits)}, expected at least one component",
                nameof(studentLogits)
            );
        KernelGuard.Number(studentLogits, nameof(studentLogits));
        if (denominator is { } given)
            Guard.NotNegative(given, nameof(denominator));
        if (options.Support != DistillationSupport.Full)
            throw new NotSupportedException($"support {options.Support} has no kernel; DistillationLosses.Distill has it");
        if (!DistillationPass.Takes(options.Divergence))
            throw new NotSupportedException($"the divergence {options.Divergence} has no kernel; DistillationLosses.Distill has it");
        var found = DistillationPass.Run(new(studentLogits, teacherLogits, mask, options, aggregation, denominator));
        return new TokenLossWithGradient(found.Loss, found.Losses, found.Gradient, found.Agreement);
    }
}
