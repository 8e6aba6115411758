using System.Collections;
using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Robustness;

/// <summary>Arguments of any parameter type, drawn at random among the worst: shapes that do not fit, other types, nothing at all,
/// NaN.</summary>
internal sealed class WorstArguments(int seed)
{
    private const int Depth = 3;
    private readonly Random random = new(seed);

    private static readonly long[][] Shapes =
    [
        [],
        [0],
        [1],
        [3],
        [2, 3],
        [3, 2],
        [2, 0],
        [0, 3],
        [2, 3, 4],
        [2, 3, 5],
        [3, 4],
        [4, 3],
        [5, 4],
        [2, 2, 3, 4],
    ];
    private static readonly ScalarType[] Types =
    [
        ScalarType.Float32,
        ScalarType.Float64,
        ScalarType.Int64,
        ScalarType.Bool,
        ScalarType.Float16,
        ScalarType.BFloat16,
        ScalarType.Int32,
    ];

    // Half of a call's tensors share a shape and a type, so that calls come past the first check.
    private long[] commonShape = [];
    private ScalarType commonType;

    /// <summary>Draws what the tensors of the next call have in common.</summary>
    internal void NextCall()
    {
        commonShape = Pick(Shapes);
        commonType = Types[random.Next(2)];
    }

    /// <summary>Whether values of this type can be made.</summary>
    internal static bool Knows(Type type, int depth = Depth)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (depth == 0 || type.IsByRef || type.IsPointer || typeof(Delegate).IsAssignableFrom(type))
            return false;
        if (type == typeof(Tensor) || type.IsEnum || type.IsPrimitive || type == typeof(string))
            return true;
        if (Element(type) is { } element)
            return Knows(element, depth - 1);
        return Ready(type).Length > 0 || Constructor(type, depth) is not null;
    }

    /// <summary>A value for a parameter.</summary>
    internal object? Make(Type type, bool hasDefault, object? byDefault)
    {
        if (hasDefault && random.Next(2) == 0)
            return byDefault is DBNull ? null
                : byDefault is null && type.IsValueType ? Activator.CreateInstance(type)
                : byDefault;
        return Make(type, Depth);
    }

    private object? Make(Type type, int depth)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(Tensor))
            return MakeTensor();
        if (type.IsEnum)
            return random.Next(8) == 0 ? Enum.ToObject(type, 99) : Pick(Enum.GetValues(type).Cast<object>().ToArray());
        if (type == typeof(bool))
            return random.Next(2) == 0;
        if (type == typeof(string))
            return Pick<string>(["", "a", "\ud800"]);
        if (type == typeof(double) || type == typeof(float))
            return Convert.ChangeType(Pick([0.5, 0.1, 1, 2, 0, -1, double.NaN, double.PositiveInfinity, 1e300]), type, null);
        if (type.IsPrimitive)
            return Convert.ChangeType(
                type == typeof(ulong) || type == typeof(byte) ? Pick([0, 1, 2, 7]) : Pick([2, 1, 3, 0, -1, 1000]),
                type,
                null
            );
        if (Element(type) is { } element)
        {
            var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
            for (int i = random.Next(4); i > 0; i--)
                list.Add(Make(element, depth - 1));
            if (!type.IsArray)
                return list;
            var array = Array.CreateInstance(element, list.Count);
            list.CopyTo(array, 0);
            return array;
        }
        var ready = Ready(type);
        if (ready.Length > 0 && random.Next(2) == 0)
            return Pick(ready).GetValue(null);
        if (Constructor(type, depth) is { } constructor)
            return constructor.Invoke([.. constructor.GetParameters().Select(parameter => Make(parameter.ParameterType, depth - 1))]);
        return ready.Length > 0 ? Pick(ready).GetValue(null) : null;
    }

    private Tensor? MakeTensor()
    {
        if (random.Next(40) == 0)
            return null;
        var shape = random.Next(2) == 0 ? commonShape : Pick(Shapes);
        var type = random.Next(4) > 0 ? commonType : Pick(Types);
        if (type is ScalarType.Int64 or ScalarType.Int32)
            return randint(-1, 6, shape, dtype: type);
        if (type == ScalarType.Bool)
            return rand(shape).gt(0.5);
        var values = randn(shape, ScalarType.Float64);
        values = random.Next(6) switch
        {
            0 => values * double.NaN,
            1 => values * 1e30,
            2 => values.gt(0).to_type(ScalarType.Float64),
            _ => values,
        };
        var made = values.to_type(type);
        return random.Next(2) == 0 ? made.detach().requires_grad_(true) : made;
    }

    private T Pick<T>(T[] from) => from[random.Next(from.Length)];

    // Lists and arrays, and what takes their place as a parameter.
    private static Type? Element(Type type)
    {
        if (type.IsArray)
            return type.GetElementType();
        return
            type.IsGenericType
            && type.GetGenericTypeDefinition() is var open
            && (
                open == typeof(IReadOnlyList<>)
                || open == typeof(IEnumerable<>)
                || open == typeof(IList<>)
                || open == typeof(IReadOnlyCollection<>)
                || open == typeof(List<>)
            )
            ? type.GetGenericArguments()[0]
            : null;
    }

    // Ready-made values of a union, such as LossAggregation.TokenMean.
    private static PropertyInfo[] Ready(Type type) =>
        [
            .. type.GetProperties(BindingFlags.Public | BindingFlags.Static)
                .Where(property => type.IsAssignableFrom(property.PropertyType) && property.GetIndexParameters().Length == 0),
        ];

    private static ConstructorInfo? Constructor(Type type, int depth) =>
        type.IsAbstract
            ? null
            : type.GetConstructors()
                .Where(constructor => constructor.GetParameters().All(parameter => Knows(parameter.ParameterType, depth - 1)))
                .OrderByDescending(constructor => constructor.GetParameters().Length)
                .FirstOrDefault();
}
