using PostTrain.Distillation;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>distill.json. None of the references scales by the squared temperature.</summary>
internal static class DistillGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["generalized_jsd"] = new(GeneralizedJsd),
            ["gkd_trainer"] = new(GkdTrainer),
            ["distillation_trainer"] = new(DistillationTrainer),
            ["jsd_support"] = new(JsdSupport),
            ["self_distillation"] = new(SelfDistillation),
            ["self_distillation_sampled"] = new(SelfDistillationSampled),
            ["minillm_advantage"] = new(MiniLlmAdvantage),
            ["minillm_single_step"] = new(MiniLlmSingleStep),
        };

    private static DistillationObjective Options(GoldenCase item) =>
        new()
        {
            Divergence = Divergence.Gkd(item.Parameter("beta", 0)),
            Temperature = item.Parameter("temperature", 1),
            ScaleByTemperatureSquared = false,
        };

    private static double? Items(GoldenCase item) =>
        item.HasParameter("num_items_in_batch") ? item.Parameter("num_items_in_batch", 0) : null;

    private static void Check(GoldenCase item, string output, string input, Func<Tensor, Tensor> function)
    {
        var at = item.Input(input);
        GoldenTolerance.Close(item.Expected(output), function(at), output);
        // Of the sum, where the output is not a scalar.
        GoldenTolerance.Close(item.Gradient(input), Numbers.Gradient(leaf => function(leaf).sum(), at), $"gradient of {input}");
    }

    private static void CheckLoss(GoldenCase item, string input, Func<Tensor, Tensor> function)
    {
        var at = item.Input(input);
        GoldenTolerance.Close(item.ExpectedNumber("loss"), function(at), "loss");
        GoldenTolerance.Close(item.Gradient(input), Numbers.Gradient(function, at), $"gradient of {input}");
    }

    private static void GeneralizedJsd(GoldenCase item)
    {
        var teacher = item.Input("teacher_logits");
        var mask = item.HasInput("labels")
            ? item.Input("labels") != -100
            : ones(teacher.shape[0], teacher.shape[1], dtype: ScalarType.Bool);
        double kept = mask.sum().ToDouble();
        // Only the mean over the batch can be told what to divide by.
        double? items = Items(item);
        double? denominator = item.Text("reduction") switch
        {
            // Without labels the reference divides by the sequences and not by the tokens.
            "batchmean" => item.HasInput("labels") ? items : teacher.shape[0],
            "sum" => 1,
            "mean" => kept * teacher.shape[2],
            "none" => null,
            var other => throw new NotSupportedException($"reduction is {other}, expected batchmean, sum, mean or none"),
        };
        if (item.Text("reduction") != "none")
        {
            CheckLoss(
                item,
                "student_logits",
                student => DistillationLosses.Distill(student, teacher, mask, Options(item), LossAggregation.TokenMean, denominator).Loss
            );
            return;
        }
        double temperature = item.Parameter("temperature", 1);
        Tensor Kept(Tensor logits) =>
            logits.reshape(-1, logits.shape[^1]).index_select(0, mask.reshape(-1).nonzero().squeeze(-1)).div(temperature).log_softmax(-1);
        Check(item, "loss", "student_logits", student => Options(item).Divergence.Terms(Kept(student), Kept(teacher)));
    }

    private static void GkdTrainer(GoldenCase item)
    {
        var labels = item.Input("labels");
        long positions = labels.shape[1] - 1;
        var mask = labels.narrow(1, 1, positions) != -100;
        var teacher = item.Input("teacher_logits").narrow(1, 0, positions);
        // The reference's own temperature is for sampling; its loss has none.
        var options = Options(item) with
        {
            Temperature = 1,
        };
        CheckLoss(
            item,
            "student_logits",
            student =>
                DistillationLosses
                    .Distill(student.narrow(1, 0, positions), teacher, mask, options, LossAggregation.TokenMean, Items(item))
                    .Loss
        );
    }

    private static void DistillationTrainer(GoldenCase item)
    {
        var mask = item.Input("completion_mask");
        long start = item.Input("prompt_ids").shape[1] - 1;
        Assert.Equal(item.Input("completion_ids").shape, mask.shape);
        Tensor Completion(Tensor logits) => logits.narrow(1, start, mask.shape[1]);
        var teacher = Completion(item.Input("teacher_logits"));
        CheckLoss(
            item,
            "student_logits",
            student =>
                DistillationLosses.Distill(Completion(student), teacher, mask, Options(item), LossAggregation.TokenMean, Items(item)).Loss
        );
    }

    private static void JsdSupport(GoldenCase item)
    {
        var (teacher, mask) = (item.Input("teacher_logps"), item.Input("support_mask"));
        Check(item, "jsd", "student_logps", student => Options(item).Divergence.Terms(student, teacher) * mask.to_type(student.dtype));
    }

    private static void SelfDistillation(GoldenCase item)
    {
        var teacher = item.Input("teacher_logits");
        bool tail = item.Flag("add_tail");
        var options = new DistillationObjective
        {
            Divergence = Divergence.Gkd(item.Parameter("alpha", 0)),
            Support = item.HasParameter("topk")
                ? DistillationSupport.TopK(
                    (int)item.Parameter("topk", 0),
                    tail ? SupportTail.Bucket : SupportTail.Renormalize,
                    SupportSource.Student
                )
                : DistillationSupport.Full,
        };
        Check(
            item,
            "per_token",
            "student_logits",
            student => DistillationLosses.Distill(student, teacher, ones(teacher.shape[0], teacher.shape[1]), options).TokenLosses
        );
    }

    private static void SelfDistillationSampled(GoldenCase item)
    {
        Assert.Equal(1, item.Parameter("alpha", 0));
        var (tokens, old) = (item.Input("completion_ids"), item.Input("old_logps"));
        var teacher = TokenLogProbs.Gather(item.Input("teacher_logits"), tokens);
        Tensor Losses(Tensor student, Tensor? before, double? cap) =>
            DistillationLosses.SampledReverseKl(TokenLogProbs.Gather(student, tokens), before, teacher, ones_like(tokens), cap).TokenLosses;
        Check(item, "per_token", "student_logits", student => Losses(student, null, null));
        GoldenTolerance.Close(
            item.Expected("per_token_clipped"),
            Losses(item.Input("student_logits"), old, item.Parameter("clip_coeff", 0)),
            "per_token_clipped"
        );
    }

    private static void MiniLlmAdvantage(GoldenCase item)
    {
        var advantages = DistillationAdvantages.MiniLlm(
            item.Input("student_logps"),
            item.Input("teacher_logps"),
            item.Input("mask"),
            new MiniLlmObjective
            {
                Gamma = item.Parameter("gamma", 1),
                LengthNormalization = item.Flag("length_normalization"),
                OwnReward = true,
                DiscountFromStart = true,
                UncountedWeight = 1e-4,
            }
        );
        GoldenTolerance.Close(item.Expected("advantages"), advantages, "advantages");
    }

    private static void MiniLlmSingleStep(GoldenCase item)
    {
        var (teacher, mask) = (item.Input("teacher_logps"), item.Input("mask"));
        double? denominator = item.Text("reduction") == "mean" ? mask.sum().ToDouble() * teacher.shape[2] : null;
        CheckLoss(
            item,
            "student_logps",
            student => LossAggregation.TokenMean.Apply(Divergence.ReverseKl.Between(student, teacher), mask, denominator)
        );
    }
}
