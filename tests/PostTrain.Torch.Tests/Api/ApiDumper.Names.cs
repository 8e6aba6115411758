using System.Reflection;
using System.Text;

namespace PostTrain.Torch.Tests.Api;

// How types, constraints and access are written.
internal sealed partial class ApiDumper
{
    private static T? TryNull<T>(Func<T> f) where T : class { try { return f(); } catch { return null; } }

    private sealed class TupleNames(List<string?> names) { private int next; public string? Next() => next < names.Count ? names[next++] : null; }

    private static TupleNames? Tuples(IList<CustomAttributeData> at)
    {
        var a = at.FirstOrDefault(x => x.AttributeType.FullName == "System.Runtime.CompilerServices.TupleElementNamesAttribute");
        if (a == null) return null;
        var arr = (IEnumerable<CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!;
        return new TupleNames(arr.Select(x => (string?)x.Value).ToList());
    }

    private static string Ann(Type t, NullabilityInfo? n, TupleNames? tuples) => Name(t, n, false, tuples);

    /// <summary>C#-like name; reference types carry '^' (nullable) or '!' (not null) where the assembly says so, and nothing where it does not.</summary>
    private static string Name(Type t, NullabilityInfo? n, bool decl = false, TupleNames? tuples = null)
    {
        if (t.IsByRef) return Name(t.GetElementType()!, n, decl, tuples);
        if (t.IsPointer) return Name(t.GetElementType()!, null) + "*";
        string mark = n == null || t.IsValueType ? "" : Mark(n);
        if (t.IsArray) return Name(t.GetElementType()!, n?.ElementType, false, tuples) + "[" + new string(',', t.GetArrayRank() - 1) + "]" + mark;
        if (t.IsGenericParameter) return t.Name;   // reflection does not tell T from T? where T is unconstrained
        if (Nullable.GetUnderlyingType(t) is { } u) return Name(u, n is { GenericTypeArguments.Length: 1 } ? n.GenericTypeArguments[0] : null, false, tuples) + "?";
        if (t.IsGenericType && !decl && t.Namespace == "System" && t.Name.StartsWith("ValueTuple`", StringComparison.Ordinal) && t.GetGenericArguments().Length is > 1 and < 8)
        {
            var ga = t.GetGenericArguments();
            var names = ga.Select(_ => tuples?.Next()).ToArray();   // names come breadth first within one tuple
            return "(" + string.Join(", ", ga.Select((a, i) => Name(a, n?.GenericTypeArguments.ElementAtOrDefault(i), false, tuples) + (names[i] is { } nm ? " " + nm : ""))) + ")";
        }
        if (!t.IsGenericType && t.FullName is { } full && Keywords.TryGetValue(full, out var k)) return k + mark;
        var sb = new StringBuilder();
        var args = t.GetGenericArguments();
        int used = 0;
        var chain = new List<Type>();
        for (Type? c = t; c != null; c = c.DeclaringType) chain.Insert(0, c.IsGenericType && !c.IsGenericTypeDefinition ? c.GetGenericTypeDefinition() : c);
        if (!string.IsNullOrEmpty(chain[0].Namespace)) sb.Append(chain[0].Namespace).Append('.');
        for (int i = 0; i < chain.Count; i++)
        {
            if (i > 0) sb.Append('.');
            sb.Append(Simple(chain[i]));
            int total = chain[i].GetGenericArguments().Length;
            if (total > used)
            {
                int at = used;
                sb.Append('<').Append(string.Join(", ", args.Skip(used).Take(total - used).Select((a, j) => Name(a, n?.GenericTypeArguments.ElementAtOrDefault(at + j), false, tuples)))).Append('>');
                used = total;
            }
        }
        return sb.Append(mark).ToString();
    }

    private static string Mark(NullabilityInfo n) => Mark(n.ReadState) is { Length: > 0 } s ? s : Mark(n.WriteState);
    private static string Mark(NullabilityState s) => s switch { NullabilityState.Nullable => "^", NullabilityState.NotNull => "!", _ => "" };

    private static string Simple(Type t) { var i = t.Name.IndexOf('`'); return i < 0 ? t.Name : t.Name[..i]; }
    private static Type[] OwnGenericArguments(Type t) => t.IsGenericType ? t.GetGenericArguments().Skip(t.DeclaringType?.GetGenericArguments().Length ?? 0).ToArray() : [];
    private static bool IsDelegate(Type t) => t.BaseType?.FullName == "System.MulticastDelegate";
    private static bool Has(IList<CustomAttributeData> at, string name) => at.Any(a => a.AttributeType.FullName == name);

    private static string Constraints(Type[] args)
    {
        var sb = new StringBuilder();
        foreach (var a in args.Where(a => a.IsGenericParameter))
        {
            var c = new List<string>();
            var g = a.GenericParameterAttributes;
            bool unmanaged = Has(a.GetCustomAttributesData(), "System.Runtime.CompilerServices.IsUnmanagedAttribute");
            if (unmanaged) c.Add("unmanaged");
            else if (g.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint)) c.Add("struct");
            if (g.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint)) c.Add("class");
            c.AddRange(a.GetGenericParameterConstraints().Where(x => x.FullName != "System.ValueType").Select(x => Name(x, null)).OrderBy(s => s, StringComparer.Ordinal));
            if (g.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) && !g.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint)) c.Add("new()");
            if (c.Count > 0) sb.Append(" where ").Append(a.Name).Append(" : ").Append(string.Join(", ", c));
        }
        return sb.ToString();
    }

    private static string Obsolete(MemberInfo m)
    {
        var a = m.GetCustomAttributesData().FirstOrDefault(x => x.AttributeType.FullName == "System.ObsoleteAttribute");
        if (a == null) return "";
        return a.ConstructorArguments.Count > 1 && a.ConstructorArguments[1].Value is true ? " [Obsolete: error]" : " [Obsolete]";
    }

    private static bool Visible(Type t)
    {
        if (t.IsGenericType && !t.IsGenericTypeDefinition) { if (!t.GetGenericArguments().All(a => a.IsGenericParameter || Visible(a))) return false; t = t.GetGenericTypeDefinition(); }
        if (t.HasElementType) return Visible(t.GetElementType()!);
        for (Type? c = t; c != null; c = c.DeclaringType)
            if (!(c.IsPublic || c.IsNestedPublic || c.IsNestedFamily || c.IsNestedFamORAssem)) return false;
        return true;
    }

    private static string TypeAccess(Type t) => t.IsPublic || t.IsNestedPublic ? "public" : t.IsNestedFamORAssem ? "protected internal" : "protected";
    private static string? Access(MethodBase m) => m.IsPublic ? "public" : m.IsFamilyOrAssembly ? "protected internal" : m.IsFamily ? "protected" : null;
    private static bool IsFinalizer(MethodInfo m) => m.Name == "Finalize" && m.IsVirtual && m.GetParameters().Length == 0;
    private static string? Access(FieldInfo f) => f.IsPublic ? "public" : f.IsFamilyOrAssembly ? "protected internal" : f.IsFamily ? "protected" : null;
    private static string Wider(string? a, string? b) { string[] o = ["public", "protected internal", "protected"]; return o.First(x => x == a || x == b); }
}
