namespace PostTrain.Distillation;

/// <summary>Whose most likely tokens make the support of a top-k divergence.</summary>
public enum SupportSource
{
    /// <summary>The teacher's: fixed, and all that a teacher's server has to send.</summary>
    Teacher,

    /// <summary>The student's: sees where the student puts mass that the teacher would not (SDPO, arXiv:2601.20802).</summary>
    Student,
}
