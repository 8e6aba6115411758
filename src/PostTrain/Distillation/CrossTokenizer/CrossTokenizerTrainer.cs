using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Distillation on given completions from a teacher with another tokenizer.</summary>
/// <remarks>
/// Loss: <see cref="CrossTokenizerLosses.Uld"/> over the tokens of the completions in both vocabularies, and with
/// <see cref="CrossTokenizerOptions.LabelWeight"/> the student's cross-entropy. Nothing depends on the micro-batch. Metrics besides those
/// of <see cref="DatasetTrainer{TExample}"/>: <c>uld</c> (the distance), <c>nll</c> (of the completions under the student). Where the
/// vocabularies are the same, <see cref="DistillationTrainer"/> learns more from the teacher.
/// </remarks>
public sealed class CrossTokenizerTrainer : DatasetTrainer<Demonstration, CrossTokenizerBatch>
{
    private readonly CausalLm student;
    private readonly ITokenizer tokenizer;
    private readonly CrossTokenizerTeacher teacher;
    private readonly CrossTokenizerOptions options;

    /// <param name="student">The trained model: its parameters that require a gradient.</param>
    /// <param name="tokenizer">The student's tokenizer.</param>
    /// <param name="teacher">A frozen model with its tokenizer.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">Tokens are to be aligned and a tokenizer has no offsets.</exception>
    public CrossTokenizerTrainer(CausalLm student, ITokenizer tokenizer, CrossTokenizerTeacher teacher, CrossTokenizerOptions options)
        : base(student, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(teacher);
        (this.student, this.tokenizer, this.teacher, this.options) = (student, tokenizer, teacher, options);
        foreach (var (one, name) in new[] { (tokenizer, nameof(tokenizer)), (teacher.Tokenizer, nameof(teacher)) })
            if (options.Align && one is not IOffsetTokenizer)
                throw new ArgumentException(
                    $"{name} is a {one.GetType().Name}, which gives no offsets; expected an {nameof(IOffsetTokenizer)}, or "
                        + $"{nameof(CrossTokenizerOptions.Align)} = false",
                    name
                );
    }

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, CrossTokenizerBatch> Prepare(IReadOnlyList<Demonstration> data, string name)
    {
        var own = Encoded(data, tokenizer, student, name);
        var other = Encoded(data, teacher.Tokenizer, teacher.Model, name);
        return indices =>
        {
            var batch = SequenceBatch.Of([.. indices.Select(index => own[index].Example)], tokenizer.PaddingId);
            return new CrossTokenizerBatch(
                batch with
                {
                    Denominator = LossAggregation.TokenMean.Denominator(batch.LossMask),
                },
                SequenceBatch.Of([.. indices.Select(index => other[index].Example)], teacher.Tokenizer.PaddingId),
                [.. indices.Select(index => own[index].Answer)],
                [.. indices.Select(index => other[index].Answer)]
            );
        };
    }

    /// <inheritdoc/>
    protected override Tensor Loss(CrossTokenizerBatch batch, int start, int count, MetricMeans metrics)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(metrics);
        var scores = SequenceScores.Of(student, batch.Student.Part(start, count));
        double tokens = scores.Mask.sum().ToDouble();
        metrics.Add("nll", Masked.Mean(scores.LogProbs.detach().neg(), scores.Mask), tokens);
        var loss =
            options.LabelWeight == 0
                ? null
                : LossAggregation.TokenMean.Apply(scores.LogProbs.neg(), scores.Mask, batch.Student.Denominator) * options.LabelWeight;
        if (options.DistillationWeight == 0)
            return loss!;
        var other = ReferencePolicy.Of(teacher.Model).Ask(model => Logits(SequenceScores.Of(model, batch.Teacher.Part(start, count))));
        var distance = CrossTokenizerLosses.Uld(
            Logits(scores),
            other,
            [.. batch.StudentAnswers.Skip(start).Take(count)],
            [.. batch.TeacherAnswers.Skip(start).Take(count)],
            options.Objective,
            batch.Denominator
        );
        metrics.Add("uld", distance.RowLosses.mean(), count);
        var weighted = distance.Loss * options.DistillationWeight;
        return loss is null ? weighted : loss + weighted;
    }

    private static Tensor Logits(SequenceScores scores) => CrossTokenizerBatch.Counted(scores.Logits, scores.Mask);

    private (TokenExample Example, AnswerTokens Answer)[] Encoded(
        IReadOnlyList<Demonstration> data,
        ITokenizer encoder,
        CausalLm model,
        string name
    ) => [.. data.Select((item, i) => Encoded(item, encoder, model, $"{name}[{i}]"))];

    private (TokenExample Example, AnswerTokens Answer) Encoded(Demonstration item, ITokenizer encoder, CausalLm model, string name)
    {
        var example = TokenExample
            .Of(item.Prompt, item.Completion, encoder, options.AppendEndOfSequence)
            .Fitting(model.ContextLength, name);
        int[] ids = example.Ids[example.PromptLength..];
        if (!options.Align)
            return (example, new AnswerTokens(ids));
        // In the text of prompt and completion, which both encode. An end that was appended has no length.
        var text = item.Prompt + item.Completion;
        var offsets = ((IOffsetTokenizer)encoder).EncodeWithOffsets(text.Text, addSpecialTokens: !text.IsRendered).Offsets;
        int end = text.Text.Length;
        (int, int)[] places =
        [
            .. Enumerable.Range(example.PromptLength, ids.Length).Select(token => token < offsets.Length ? offsets[token] : (end, end)),
        ];
        return (example, new AnswerTokens(ids, places));
    }
}
