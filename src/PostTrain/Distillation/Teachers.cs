using PostTrain.Models;

namespace PostTrain.Distillation;

/// <summary>What a teacher must have in common with its student.</summary>
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
