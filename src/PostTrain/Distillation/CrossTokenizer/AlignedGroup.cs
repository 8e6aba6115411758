namespace PostTrain.Distillation;

/// <summary>Tokens of two models that stand for the same stretch of text.</summary>
/// <param name="StudentStart">First of the student's tokens.</param>
/// <param name="StudentCount">Number of the student's tokens; 0 only in a last group that the other model has alone.</param>
/// <param name="TeacherStart">First of the teacher's tokens.</param>
/// <param name="TeacherCount">Number of the teacher's tokens; 0 as for the student.</param>
public readonly record struct AlignedGroup(int StudentStart, int StudentCount, int TeacherStart, int TeacherCount);
