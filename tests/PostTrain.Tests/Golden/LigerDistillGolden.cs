using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>liger.json, distillation: both terms over the number of targets that count; the temperature is in the soft one alone.</summary>
internal static class LigerDistillGolden
{
    internal static void Jsd(GoldenCase item)
    {
        var options = new DistillationObjective
        {
            Divergence = Divergence.Gkd(item.Parameter("beta", 0.5)),
            Temperature = item.Parameter("temperature", 1),
            ScaleByTemperatureSquared = false,
        };
        Check(item, (student, teacher, mask) => DistillationLosses.Distill(student, teacher, mask, options).Loss);
    }

    internal static void Cosine(GoldenCase item)
    {
        var beta = item.Parameter("beta", 0.5);
        Check(
            item,
            // The reference sums over all positions, those that do not count too.
            (student, teacher, mask) =>
                DistillationLosses.Cosine(student, teacher, ones_like(mask), denominator: LossAggregation.TokenMean.Denominator(mask)).Loss
                * beta
        );
    }

    private static void Check(GoldenCase item, Func<Tensor, Tensor, Tensor, Tensor> softOf)
    {
        var targets = item.Input("target").unsqueeze(0);
        var mask = targets.ne(-100).to_type(ScalarType.Float32);
        var teacher = nn.functional.linear(
            item.Input("teacher_hidden"),
            item.Input("teacher_weight"),
            item.HasInput("teacher_bias") ? item.Input("teacher_bias") : null
        );
        var (hardWeight, softWeight) = (item.Parameter("weight_hard_loss", 0.5), item.Parameter("weight_soft_loss", 0.5));
        Tensor Hard(LigerGolden.Layer at) =>
            SupervisedLosses
                .ChunkedCrossEntropy(at.Hidden.unsqueeze(0), at.Weight, targets, mask, bias: at.Bias, chunkSize: at.ChunkSize)
                .Loss;
        Tensor Soft(LigerGolden.Layer at)
        {
            var student = nn.functional.linear(at.Hidden, at.Weight, at.Bias);
            // A larger vocabulary of the teacher: the student's logits there are 0.
            var missing = teacher.shape[1] - student.shape[1];
            if (missing > 0)
                student = cat([student, zeros(student.shape[0], missing)], 1);
            return softOf(student.unsqueeze(0), teacher.unsqueeze(0), mask);
        }
        var layer = LigerGolden.CheckLoss(item, at => Hard(at) * hardWeight + Soft(at) * softWeight);
        TensorAssert.Close(item.ExpectedNumber("hard_loss"), Hard(layer), LigerGolden.Tolerance, "hard_loss");
        TensorAssert.Close(item.ExpectedNumber("soft_loss"), Soft(layer), LigerGolden.Tolerance, "soft_loss");
    }
}
