using PostTrain.Data.Batches;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>The same examples in two vocabularies.</summary>
/// <param name="Student">In the student's tokens.</param>
/// <param name="Teacher">In the teacher's tokens.</param>
/// <param name="StudentAnswers">The student's tokens of each completion.</param>
/// <param name="TeacherAnswers">The teacher's tokens of each completion.</param>
public sealed record CrossTokenizerBatch(
    SequenceBatch Student,
    SequenceBatch Teacher,
    IReadOnlyList<AnswerTokens> StudentAnswers,
    IReadOnlyList<AnswerTokens> TeacherAnswers
) : ITrainingBatch
{
    /// <inheritdoc/>
    public int Rows => Student.Rows;

    /// <inheritdoc/>
    public double Tokens => Student.Tokens;

    /// <inheritdoc/>
    public double Denominator => Rows;

    /// <summary>The logits at positions that count, row after row, [N,V].</summary>
    internal static Tensor Counted(Tensor logits, Tensor mask) =>
        logits.reshape(-1, logits.shape[^1]).index_select(0, mask.reshape(-1).nonzero().squeeze(-1));
}
