using PostTrain.Models;

namespace PostTrain.Distillation;

/// <summary>The requirements on a teacher of a given student.</summary>
internal static class Teachers
{
    internal static void Check(CausalLm student, ReferencePolicy teacher)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(teacher);
        if (teacher.Own is { } model && model.VocabularySize != student.VocabularySize)
            throw new ArgumentException(
                $"teacher has a vocabulary of {model.VocabularySize}, expected {student.VocabularySize}, the student's",
                nameof(teacher)
            );
    }
}
